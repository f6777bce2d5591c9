"""Asking for a ticket: who may, with what, and what the ticket is then worth."""

from typing import Any

import pytest

from sessions_app.jwt import claims, own
from sessions_app.models import Session, TokenFamily, User, WebSocketTicket
from tests.conftest import key_for
from tests.issuer import OutsideIssuer
from tests.rest import NO_BODY, Rest
from tests.sessions_app.test_kinds import Kind, access_token, api_key, outside_token, session_token
from tests.sessions_app.test_tickets import in_thread, page, refused, ticket_for
from tests.socket import SocketWire
from tests.wire import Wire

MAKERS = [api_key, session_token, access_token, outside_token]


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest, alice: User, issuer: OutsideIssuer) -> Kind:
    made: Kind = request.param(alice, issuer)
    return made


async def test_whatever_one_is_known_by_will_do(kind: Kind, alice: User, quick: None) -> None:
    """An outside JWT's claims are long; and each ends the socket that it was asked for."""
    body, unused = [await in_thread(lambda: ticket_for(Rest(kind.secret))) for _ in range(2)]
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    assert (await client.call("get-user-profile")).result["structuredContent"]["username"] == "alice"
    await in_thread(kind.revoke)
    assert (await client.line.over())[0] == 4401
    assert (await refused(await page(unused["subprotocols"]))).status == 401


async def test_it_makes_no_difference_to_the_session_what_opened_the_socket(kind: Kind, alice: User) -> None:
    own_way = await SocketWire.open(kind.secret)
    body = await in_thread(lambda: ticket_for(Rest(kind.secret)))
    by_ticket = SocketWire(await page(body["subprotocols"]), Wire(None))
    for client in (own_way, by_ticket):
        await client.ask("tools/list")
    sessions = [(row.user_id, row.credential, row.label) async for row in Session.objects.all()]
    assert len(sessions) == 2
    assert len(set(sessions)) == 1
    for client in (own_way, by_ticket):
        await client.leave()


async def test_a_jwt_s_ends_with_its_time(alice: User, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    family = await in_thread(lambda: TokenFamily.open(alice)[0])
    body = await in_thread(lambda: ticket_for(Rest(own.issue(family))))
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    await client.ask("tools/list")
    monkeypatch.setattr(claims, "LEEWAY", -own.LIFETIME)  # its time is over now
    assert (await client.line.over())[0] == 4401


@pytest.mark.parametrize("data", [NO_BODY, {}])
def test_there_is_nothing_to_say(alice: User, data: Any) -> None:
    assert Rest(key_for(alice)).post("websocket-tickets/", data).status == 201


@pytest.mark.parametrize("data", [{"expires_in": 60}, [], None, "x", 1, b"{", b"\xff", b'{"a": 1, "a": 2}'])
def test_whatever_is_said_all_the_same_is_refused(alice: User, data: Any) -> None:
    answer = Rest(key_for(alice)).post("websocket-tickets/", data)
    assert answer.problem["status"] == 400
    assert not WebSocketTicket.objects.exists()


def test_a_form_of_another_site_s_page_is_none(alice: User) -> None:
    rest = Rest(key_for(alice), headers={"content-type": "application/x-www-form-urlencoded"})
    assert rest.post("websocket-tickets/", b"a=1").status == 415


def test_each_is_another_and_its_owner_s(alice: User, bob: User) -> None:
    secrets = {ticket_for(Rest(key_for(user)))["ticket"] for user in (alice, alice, bob)}
    assert len(secrets) == 3
    assert [alice.websocket_tickets.count(), bob.websocket_tickets.count()] == [2, 1]
