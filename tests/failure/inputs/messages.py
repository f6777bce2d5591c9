"""JSON-RPC messages of both eras, and how they are wrapped."""

import base64
from typing import Any

from tests.failure.chance import Chance
from tests.wire import HANDSHAKE_VERSION, NAMED, VERSION, Wire

from .given import ABOUT, METHODS, Given, Headers
from .http import bearer, on_one_line, request


def params_of(chance: Chance, given: Given, method: str) -> dict[str, Any]:
    match method:
        case "initialize":
            return {"protocolVersion": chance.choice(("2025-03-26", "2025-06-18", HANDSHAKE_VERSION, VERSION)),
                    "clientInfo": ABOUT, "capabilities": {"elicitation": {}}}  # fmt: skip
        case "tools/call":
            tool = chance.choice(given.tools)
            schema = tool["inputSchema"]
            return {"name": tool["name"], "arguments": chance.fitting(schema, schema, given.likely)}
        case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
            return {"uri": chance.text(*given.uris)}
        case "prompts/get":
            prompt = chance.choice(given.prompts)
            arguments = {each["name"]: chance.text(*given.likely) for each in prompt.get("arguments", ())}
            return {"name": prompt["name"], "arguments": arguments}
        case "completion/complete":
            ref = {"type": "ref/prompt", "name": chance.text("suggest")}
            if chance.one_in(2):
                ref = {"type": "ref/resource", "uri": chance.text("shop://items/{item}")}
            return {"ref": ref, "argument": {"name": chance.text("item", "drink"), "value": chance.text("t")}}
        case "logging/setLevel":
            return {"level": chance.text("debug", "error")}
        case "subscriptions/listen":
            return {"notifications": {"toolsListChanged": True, "resourceSubscriptions": given.uris[:3]}}
        case "notifications/cancelled":
            return {"requestId": chance.choice((1, 2, "a", chance.value())), "reason": chance.text()}
        case "notifications/progress":
            return {"progressToken": chance.text("p1"), "progress": chance.choice((1, 0.5, chance.value()))}
        case "tasks/get" | "tasks/cancel" | "tasks/result":
            return {"taskId": chance.text()}
    return {"cursor": chance.text()} if chance.one_in(4) else {}


def message_of(chance: Chance, given: Given, is_modern: bool) -> Any:
    """One that is valid, or was."""
    if chance.one_in(25):
        ids = (1, 2, "a", chance.value())
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": chance.choice(ids)}
        reply["result" if chance.one_in(2) else "error"] = chance.choice(
            ({"action": "accept", "content": {"sure": True}}, {"code": -32000, "message": "no"}, chance.value())
        )
        return chance.changed(reply) if chance.one_in(2) else reply
    method = "tools/call" if chance.one_in(2) else chance.choice(METHODS)
    params = params_of(chance, given, method)
    if is_modern:
        message = Wire(None).request(method, params)
    else:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        if chance.one_in(4):
            params["_meta"] = {"progressToken": chance.choice((1, "p1", chance.value()))}
    message["id"] = chance.choice((1, 2, "a", 2**53 - 1, 0))
    if method.startswith("notifications/"):
        del message["id"]
    if chance.one_in(4):
        return message
    if params and chance.one_in(2):  # what is behind the envelope, or the call's name
        inner = "arguments" if params.get("arguments") else chance.choice(list(params))
        message["params"][inner] = chance.changed(message["params"][inner])
        return message
    return chance.changed(message)


def message(chance: Chance, given: Given) -> bytes:
    """A POST to one of MCP's paths, whose headers mostly say what its body does."""
    kind = chance.randrange(20)
    is_modern = kind < 11
    content = message_of(chance, given, is_modern)
    path, headers = "/mcp", [("Host", given.host), ("Content-Type", "application/json"),
                             ("Accept", "application/json, text/event-stream")]  # fmt: skip
    if is_modern:
        headers += envelope_headers(chance, content)
    if kind < 9:
        headers.append(bearer(given.key(chance)))
    elif kind == 9 or kind == 19:
        path = "/mcp/guest"
    elif kind == 10:
        headers.append(bearer(on_one_line(chance.text("mcp_key_abc"))))
    elif kind < 18:
        key, session = chance.choice(given.sessions)
        headers += [bearer(key), ("Mcp-Session-Id", session), ("MCP-Protocol-Version", HANDSHAKE_VERSION)]
    else:
        headers.append(bearer(given.key(chance)))
    return request("POST", path, headers, chance.written(content))


def envelope_headers(chance: Chance, content: Any) -> Headers:
    headers = [("MCP-Protocol-Version", VERSION)]
    if isinstance(content, dict) and isinstance(method := content.get("method"), str):
        headers.append(("Mcp-Method", in_a_header(method)))
        params = content.get("params")
        if (name := NAMED.get(method)) and isinstance(params, dict):
            headers.append(("Mcp-Name", in_a_header(str(params.get(name)))))
            arguments = params.get("arguments")
            if isinstance(arguments, dict) and isinstance(region := arguments.get("region"), str):
                headers.append(("Mcp-Param-Region", in_a_header(region)))
    return headers


def in_a_header(text: str) -> str:
    """As MCP writes what a header cannot hold as it is."""
    if text.isascii() and text.isprintable() and text == text.strip():
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'surrogatepass')).decode()}?="
