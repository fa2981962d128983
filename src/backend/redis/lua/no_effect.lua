-- no_effect: what publish calls when nothing in its batch has an effect, so that the hot path carries no code it does not use.

local function weigh() end
local function apply() end
local function forget() end
