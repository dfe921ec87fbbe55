-- Begin the state if there is none; return its epoch and the rules that it was made under.
--
-- KEYS[1] - meta hash
-- KEYS[2] - ended hash: the last epoch that was cleared, and "clearing" until all of it is gone
--
-- ARGV[1] - epoch to begin with, milliseconds since the epoch; one more than the last one if that is not smaller
-- ARGV[2] - rules, JSON
--
-- Returns {epoch, rules}, or {"", ""} while a clearing has not come to its end

if redis.call('HEXISTS', KEYS[2], 'clearing') == 1 then
  return { '', '' }
end
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then
  local epoch = ARGV[1]
  local last = redis.call('HGET', KEYS[2], 'epoch')
  if last and tonumber(last) >= tonumber(epoch) then
    epoch = string.format('%.0f', tonumber(last) + 1)
  end
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'rules', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'epoch', 'rules')
