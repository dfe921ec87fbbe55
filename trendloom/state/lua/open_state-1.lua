-- Begin the state if there is none; return its epoch and the rules that it was made under.
--
-- KEYS[1] - meta hash
--
-- ARGV[1] - epoch to begin with, milliseconds since the epoch
-- ARGV[2] - rules, JSON
--
-- Returns {epoch, rules}

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'rules', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'epoch', 'rules')
