-- Give each unknown item id the next free number; a number is never used again.
--
-- KEYS[1] - numbers hash: item id -> number
-- KEYS[2] - ids list: the item id of each number
--
-- ARGV[1] - greatest number of items
-- ARGV[1 + i] - the i-th item id
--
-- Returns the number of each id, -1 where the greatest number of items is reached

local most = tonumber(ARGV[1])
local size = redis.call('LLEN', KEYS[2])
local numbers = {}
for i = 2, #ARGV do
  local number = redis.call('HGET', KEYS[1], ARGV[i])
  if not number then
    if size < most then
      redis.call('RPUSH', KEYS[2], ARGV[i])
      redis.call('HSET', KEYS[1], ARGV[i], size)
      number = size
      size = size + 1
    else
      number = -1
    end
  end
  numbers[i - 1] = tonumber(number)
end
return numbers
