-- Makes Lua objects until LuaJIT says "not enough memory", or until `most` bytes of them are there.
--
-- Each object holds the one before, so that all stay reachable without a list beside them: a list
-- grows by doubling, and would meet the end long before its objects do. The collector is off: it
-- would look for garbage that isn't there again and again.
--
-- Gives: whether Lua ran out of memory; the bytes of all Lua objects, by Lua's own count; the number
-- of objects made here, at least 400 unless memory ends before; the bytes of one of them. Numbers
-- only: they need no memory to be returned.
local objects, most = ...

local slots = 64          -- of a table: 512 bytes of values, and its head
local length = 16 * 1024  -- of a string

local make
if objects == "tables" then
  local new = require "table.new"
  make = function(before)
    local table = new(slots - 1, 0) -- LuaJIT adds the slot 0
    table[1] = before
    return table
  end
else
  local ffi = require "ffi"
  -- LuaJIT keeps one string of each content, so each begins with a number of its own.
  local content = ffi.new("uint32_t[?]", length / 4)
  make = function(before, number)
    content[0] = number
    return { before, ffi.string(content, length) }
  end
end

local function bytes()
  return collectgarbage "count" * 1024
end

collectgarbage "stop"
local last, made = nil, 0

local function more(number)
  for _ = 1, number do
    last = make(last, made)
    made = made + 1
  end
end

local each = 0

local function fill()
  -- The first ones have LuaJIT compile the loop, which takes memory as well.
  more(200)
  local before = bytes()
  more(200)
  each = (bytes() - before) / 200
  while bytes() < most do
    more(64)
  end
end

local reached, why = pcall(fill)
if not reached and why ~= "not enough memory" then
  error(why)
end
return not reached, bytes(), made, each
