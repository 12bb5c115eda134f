"""`minipdk.common.web.origins` in Lua, for Envoy: it refuses an unsafe request that a web page of another origin made."""

from __future__ import annotations

ORIGINS = """
local SAFE_METHODS = { GET = true, HEAD = true, OPTIONS = true }
local OWN_SITES = { none = true, ["same-origin"] = true }

-- The name in "name", "name:port", "user@name" or "[::1]:port", in small letters.
local function host_name(authority)
  local host = authority:match("^[^/?#]*"):match("[^@]*$")
  return (host:match("^%[([^%]]*)%]") or host:match("^[^:]*")):lower()
end

local function refuse(request, reason)
  request:respond({ [":status"] = "403" }, reason)
end

function envoy_on_request(request)
  local headers = request:headers()
  if SAFE_METHODS[headers:get(":method")] then
    return
  end
  local site = headers:get("sec-fetch-site")
  if site and not OWN_SITES[site] then
    return refuse(request, "cross-site requests are refused")
  end
  local origin = headers:get("origin")
  if origin and origin ~= "" then
    local authority = origin:match("//(.*)$")
    if not authority or host_name(authority) ~= host_name(headers:get(":authority") or "") then
      return refuse(request, "cross-origin requests are refused")
    end
  end
end
"""
