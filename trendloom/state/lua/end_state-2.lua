-- End the state, so that no batch and no item can be added to it any more; its keys are dropped afterwards.
--
-- KEYS[1] - meta hash
-- KEYS[2] - ended hash: gets the epoch and the mark "clearing", which is taken off when all other keys are gone
--
-- Returns 1

local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch then
  redis.call('HSET', KEYS[2], 'epoch', epoch)
end
redis.call('HSET', KEYS[2], 'clearing', '1')
redis.call('DEL', KEYS[1])
return 1
