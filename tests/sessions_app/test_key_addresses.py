"""A key that is taken only from where its owner said: on every wire, for what is open, and what is made of it."""

import logging
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError

from sessions_app.addresses import are_within, is_in, read_network
from sessions_app.models import ApiKey, User
from sessions_app.pool import identity_pool
from tests.conftest import key_for
from tests.rest import Rest
from tests.sessions_app.eras import ERAS, Knock, everything
from tests.sessions_app.test_api_keys import in_thread, settled
from tests.sessions_app.test_commands import createkey, run
from tests.sessions_app.test_tickets import ORIGIN
from tests.socket import Line, SocketWire, dial
from tests.wire import Durable, Wire, encoded

OFFICE, ELSEWHERE = "10.1.2.3", "192.0.2.9"
NETWORK = "10.0.0.0/8"


@pytest.fixture(params=list(ERAS))
def knock(request: pytest.FixtureRequest) -> Knock:
    return ERAS[request.param]


@pytest.fixture
async def office_key(alice: User) -> str:
    return await in_thread(lambda: key_for(alice, addresses=[NETWORK, "2001:db8::/32"]))


async def allow(*addresses: str) -> None:
    def change() -> None:
        key = ApiKey.objects.get()
        key.addresses = list(addresses)
        key.full_clean()
        key.save()

    await identity_pool.run(change)


# --- The list ---


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.0.0.7", "10.0.0.7/32"), ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"), ("2001:db8:0::1", "2001:db8::1/128"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("::ffff:10.0.0.7", "10.0.0.7/32"),
    ],
)  # fmt: skip
def test_a_network_is_kept_in_one_form(typed: str, kept: str) -> None:
    assert read_network(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "office",
        "10.0.0.0/33",
        "10.0.0",
        "10.0.0.0/8/8",
        "fe80::1%eth0",
        "10.0.0.0/-1",
        "1",
        "x" * 500,
        "::/129",
    ],
)
def test_what_is_no_network_is_said_to_be_none(typed: str) -> None:
    with pytest.raises(ValueError, match=r"is no network; write 10\.0\.0\.0/8") as refused:
        read_network(typed)
    assert len(str(refused.value)) < 150


def test_an_address_inside_a_network_is_not_taken_for_all_of_it() -> None:
    with pytest.raises(ValueError, match=r"names an address inside a network; write 10\.0\.0\.0/24 for all of it"):
        read_network("10.0.0.5/24")


def test_an_address_is_in_a_network_of_its_kind() -> None:
    office = ("10.0.0.0/8", "2001:db8::/32")
    for inside in (OFFICE, "::ffff:10.1.2.3", "2001:db8::5"):
        assert is_in(inside, office)
    for outside in (ELSEWHERE, "2001:db9::5", "::a01:203", None):
        assert not is_in(outside, office)


def test_a_network_is_a_part_of_a_wider_one() -> None:
    assert are_within(("10.1.0.0/16", "10.0.0.0/8"), ("192.0.2.0/24", "10.0.0.0/8"))
    assert not are_within(("10.0.0.0/7",), ("10.0.0.0/8",))
    assert not are_within(("::/0",), ("0.0.0.0/0",))


def test_a_key_keeps_each_network_once(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "job", addresses=[" 10.0.0.7 ", "10.0.0.7/32", "::1"])
    key.refresh_from_db()
    assert key.addresses == ["10.0.0.7/32", "::1/128"]
    assert ApiKey.mint(alice, "anywhere")[0].addresses == []


@pytest.mark.parametrize("wrong", [["10.0.0.0/33"], ["10.0.0.1"] * 21, [7], "10.0.0.1", {"10.0.0.1": 1}, [None]])
def test_a_list_that_is_none_is_refused_by_its_field(alice: User, wrong: Any) -> None:
    key, _ = ApiKey.mint(alice, "job")
    key.addresses = wrong
    with pytest.raises(ValidationError) as refused:
        key.full_clean()
    assert set(refused.value.message_dict) == {"addresses"}


# --- At the door ---


async def test_it_is_taken_from_there_and_from_nowhere_else(
    knock: Knock, office_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = everything(await knock("x", address=ELSEWHERE))
    for address in (OFFICE, "2001:db8::7", "::ffff:10.0.0.1"):
        assert (await knock(office_key, address=address)).status == 200
    # Whoever found it somewhere does not learn that it is good, not even while it is known here.
    assert everything(await knock(office_key, address=ELSEWHERE)) == bad
    assert (await knock(office_key, address=OFFICE)).status == 200
    assert f"is not for requests from {ELSEWHERE}" in caplog.text
    assert office_key not in caplog.text


async def test_a_refused_try_is_no_use(knock: Knock, office_key: str) -> None:
    assert (await knock(office_key, address=ELSEWHERE)).status == 401
    await settled()
    assert (await ApiKey.objects.aget()).last_used_at is None


async def test_an_address_that_is_not_known_is_not_on_the_list(office_key: str) -> None:
    assert (await Wire(office_key).ask("tools/list", client=None)).status == 401


async def test_a_changed_list_counts_from_the_next_request(knock: Knock, office_key: str) -> None:
    assert (await knock(office_key, address=OFFICE)).status == 200
    await allow("192.0.2.0/24")
    assert (await knock(office_key, address=OFFICE)).status == 401
    assert (await knock(office_key, address=ELSEWHERE)).status == 200
    await allow()
    assert (await knock(office_key, address=OFFICE)).status == 200


async def test_what_a_proxy_that_nobody_trusts_says_does_not_count(knock: Knock, office_key: str) -> None:
    forwarded = {"x-forwarded-for": OFFICE, "forwarded": f"for={OFFICE}"}
    assert (await knock(office_key, address=ELSEWHERE, **forwarded)).status == 401


async def test_tries_from_elsewhere_do_not_count_against_its_owner(alice: User) -> None:
    secret = await in_thread(lambda: key_for(alice, addresses=[NETWORK], rate="2/h"))
    for _ in range(3):
        assert (await ERAS["2026-07-28"](secret, address=ELSEWHERE)).status == 401
    assert (await ERAS["2026-07-28"](secret, address=OFFICE)).status == 200


def test_rest_takes_it_from_there_alone(alice: User) -> None:
    secret = key_for(alice, addresses=[NETWORK])
    assert Rest(secret, ip=OFFICE).get("keys/").status == 200
    refused = Rest(secret, ip=ELSEWHERE).get("keys/")
    assert refused.everything == Rest("x", ip=ELSEWHERE).get("keys/").everything
    assert refused.status == 401


# --- What is open ---


async def test_a_stream_from_elsewhere_ends(office_key: str, quick: None, attached: None) -> None:
    client = Durable(office_key)
    there: dict[str, Any] = {"client": (OFFICE, 5)}
    message = {
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": client.version, "clientInfo": client.client, "capabilities": {}},
    }  # fmt: skip
    fresh = {"mcp-session-id": None, "mcp-protocol-version": None}
    client.session_id = (await client.post(message, headers=fresh, **there)).headers["mcp-session-id"]
    stream = await client.get(**there)
    call = client.open_post(client.calling("wait", {"seconds": 5}), **there)
    await allow(NETWORK, "192.0.2.0/24")  # still there
    await allow("192.0.2.0/24")
    assert (await stream.wait()).messages == []
    assert (await call.wait()).status == 401


async def test_a_listener_from_elsewhere_ends(office_key: str, quick: None, attached: None) -> None:
    wire = Wire(office_key)
    wanted = {"notifications": {"toolsListChanged": True}}
    stream = wire.open(wire.request("subscriptions/listen", wanted), client=(OFFICE, 5))
    await stream.wait_for("acknowledged")
    await allow("192.0.2.0/24")
    assert (await stream.wait()).messages[-1]["error"]["message"] == "The credential is not valid."


@pytest.mark.parametrize("opening", [SocketWire.open, SocketWire.shake_hands])
async def test_a_socket_from_elsewhere_is_closed(
    office_key: str, opening: Any, quick: None, attached: None
) -> None:
    client = await opening(office_key, client=(OFFICE, 5))
    assert (await client.ask("tools/list")).status == 200
    await allow("192.0.2.0/24")
    assert (await client.line.over())[0] == 4401


# --- What is made of it ---


async def test_a_ticket_opens_no_socket_from_elsewhere(alice: User) -> None:
    secret = await in_thread(lambda: key_for(alice, addresses=[NETWORK]))

    def ticket() -> list[str]:
        subprotocols: list[str] = Rest(secret, ip=OFFICE).post("websocket-tickets/", {}).data["subprotocols"]
        return subprotocols

    for address, status in ((ELSEWHERE, 401), (OFFICE, 101)):
        line = dial(None, {"origin": ORIGIN}, subprotocols=await in_thread(ticket), client=(address, 5))
        assert (await line.opened()).answer.status == status
        await line.leave()


def test_a_key_that_is_made_with_it_goes_no_further(alice: User) -> None:
    client = Rest(key_for(alice, addresses=[NETWORK]), ip=OFFICE)
    assert client.post("keys/", {"name": "same"}).data["addresses"] == [NETWORK]
    assert client.post("keys/", {"name": "less", "addresses": ["10.1.0.0/16"]}).data["addresses"] == [
        "10.1.0.0/16"
    ]
    for wider in ([], ["0.0.0.0/0"], [NETWORK, "192.0.2.0/24"]):
        refused = client.post("keys/", {"name": "more", "addresses": wider})
        assert refused.problem["errors"] == {"addresses": ["Only networks that this credential may come from."]}
    assert alice.api_keys.count() == 3


def test_rest_makes_one_with_a_list_and_says_what_is_wrong_with_it(alice: User) -> None:
    client = Rest(key_for(alice))
    made = client.post("keys/", {"name": "job", "addresses": ["10.0.0.7", "::1"]})
    assert (made.status, made.data["addresses"]) == (201, ["10.0.0.7/32", "::1/128"])
    assert client.get("keys/").data["results"][0]["addresses"] == ["10.0.0.7/32", "::1/128"]
    refused = client.post("keys/", {"name": "job", "addresses": ["10.0.0.0/33"]})
    (said,) = refused.problem["errors"]["addresses"]
    assert said.startswith("'10.0.0.0/33' is no network")
    for wrong in ("10.0.0.0/8", [7], [None], None, ["10.0.0.1"] * 21, [["10.0.0.1"]]):
        assert client.post("keys/", {"name": "job", "addresses": wrong}).status == 400


def test_createkey_takes_a_list(alice: User) -> None:
    key = createkey("alice", "--name", "job", "--address", "10.0.0.0/8", "--address", "::1")
    assert key.addresses == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(CommandError, match=r"addresses: '10\.0\.0\.0/33' is no network"):
        run("createkey", "alice", "--name", "job", "--address", "10.0.0.0/33")


async def test_its_log_names_the_prefix(office_key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    await Wire(office_key).ask("tools/list", client=(ELSEWHERE, 5))
    key = await ApiKey.objects.aget()
    assert f"API key {key.prefix} is not for requests from {ELSEWHERE}" in caplog.text


async def test_the_line_of_a_socket_says_no_more(office_key: str) -> None:
    line = Line(
        encoded({"authorization": f"Bearer {office_key}", "host": "127.0.0.1:8000"}), client=(ELSEWHERE, 5)
    )
    assert (await line.opened()).answer.error["message"] == "The credential is not valid."
    await line.leave()
