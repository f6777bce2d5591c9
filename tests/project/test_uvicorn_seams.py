"""What we use of uvicorn and websockets that neither promises to keep. See test_sdk_seams.py."""

import inspect
import re

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.server import ServerProtocol

from project.wire.answer import AnswerTransport
from project.wire.connection import GuardedConnection
from project.wire.pipeline import PipelinedConnection
from project.wire.reading import ReadingSocket
from project.wire.sockets import GuardedSocket

BEGIN = HttpToolsProtocol._start_asgi_task
DUNDER = {"__doc__", "__init__", "__module__", "__firstlineno__", "__static_attributes__"}
OVERRIDDEN = {
    "connection_made", "connection_lost", "data_received", "eof_received", "pause_writing", "shutdown",
    "handle_connect", "handle_cont", "handle_ping", "handle_pong", "handle_close", "handle_parser_exception",
    "send_receive_event_to_app", "start_keepalive", "run_asgi", "receive",
}  # fmt: skip
STATE = {
    "app", "close_sent", "close_timeout", "close_timer", "conn", "connections", "curr_msg_data_type",
    "default_headers", "disconnected", "frames", "handshake_complete", "handshake_initiated", "initial_response",
    "ping_timer", "queue", "read_paused", "writable",
}  # fmt: skip

OF_CONNECTIONS = {
    "connection_made", "data_received", "on_message_begin", "on_headers_complete", "on_message_complete",
    "resume_writing",
}  # fmt: skip
STATE_OF_CONNECTIONS = {"connections", "cycle", "timeout_keep_alive_task", "transport"}


def test_uvicorn_calls_what_we_override_of_connections() -> None:
    theirs = {name for name in vars(HttpToolsProtocol) if not name.startswith("_")}
    assert vars(GuardedConnection).keys() & theirs == OF_CONNECTIONS


async def test_uvicorn_keeps_a_connections_state_where_we_look_for_it() -> None:
    config = Config("project.asgi:application", log_config=None)
    config.load()
    assert vars(HttpToolsProtocol(config, ServerState(), {})).keys() >= STATE_OF_CONNECTIONS
    assert "response_complete" in inspect.getsource(RequestResponseCycle)


def test_uvicorn_calls_what_we_override() -> None:
    own = {name for cls in (ReadingSocket, GuardedSocket) for name in vars(cls)}
    theirs = {name for name in vars(WebSocketsSansIOProtocol) if not name.startswith("_")}
    assert own & theirs == OVERRIDDEN


async def test_uvicorn_keeps_a_sockets_state_where_we_look_for_it() -> None:
    config = Config("project.asgi:application", log_config=None)
    config.load()
    assert vars(WebSocketsSansIOProtocol(config, ServerState(), {})).keys() >= STATE


async def test_uvicorn_begins_each_answer_and_refuses_what_is_no_http_where_we_look_for_it() -> None:
    own = {name for name in vars(PipelinedConnection) if name in dir(HttpToolsProtocol)} - DUNDER
    assert own == {"_start_asgi_task", "connection_lost", "on_response_complete", "send_400_response"}
    assert "self.send_400_response(" in inspect.getsource(HttpToolsProtocol.data_received)
    begins = [inspect.getsource(each).count(".run_asgi(") for each in (HttpToolsProtocol, BEGIN)]
    assert begins[0] == begins[1] > 0
    parameters = inspect.signature(RequestResponseCycle).parameters.keys()
    assert {"disconnected", "more_body", "response_started"} <= set(
        RequestResponseCycle.__init__.__code__.co_names
    )
    assert "message_event" in parameters


def test_uvicorn_asks_of_an_answers_transport_what_ours_has() -> None:
    used = set(re.findall(r"self\.transport\.(\w+)", inspect.getsource(RequestResponseCycle)))
    ours = {name for name in vars(AnswerTransport) if not name.startswith("_")}
    assert used == ours - {"let_go", "forget", "abort"}


def test_uvicorn_makes_a_socket_before_it_lets_go_of_the_request() -> None:
    source = inspect.getsource(HttpToolsProtocol.handle_websocket_upgrade)
    assert source.index(".connection_made(") < source.index(".data_received(") < source.index(".set_protocol(")
    assert "self.cycle" in inspect.getsource(HttpToolsProtocol.connection_lost)
    assert "self.response_complete" in inspect.getsource(RequestResponseCycle)


def test_websockets_words_its_refusals_in_one_place_and_keeps_why() -> None:
    for method in (ServerProtocol.accept, ServerProtocol.parse):
        source = inspect.getsource(method)
        assert "self.reject(" in source
        assert "self.handshake_exc = " in source


def test_websockets_says_what_it_parsed_and_why_it_failed() -> None:
    conn = ServerProtocol()
    assert (conn.events, conn.parser_exc, conn.close_sent) == ([], None, None)
    assert {"code", "reason"} <= inspect.signature(conn.fail).parameters.keys()
