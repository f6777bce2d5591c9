"""Who is let in where: what each visitor is answered at each route, who asks for what is bob's and sends nothing.

The answers are of, in this order: nobody who is signed in; alice, who is a member and not staff; staff without a
permission; staff who may look at what the route is about, and nothing else; a superuser. Whoever was deactivated
after he signed in is answered as nobody is.
"""

import re
from dataclasses import dataclass

VISITORS = ("nobody", "alice", "bare", "viewer", "operator")

# What everybody gets, whoever he is.
OPEN = "200 200 200 200 200"
NO_METHOD = "405 405 405 405 405"
INCOMPLETE = "400 400 400 400 400"
AWAY = "302 302 302 302 302"
# In the control room. 302 is the way to its door, and 403 what staff hear who may not.
STAFF = "302 302 200 200 200"
STAFF_404 = "302 302 404 404 404"
STAFF_405 = "302 302 405 405 405"
VIEWERS = "302 302 403 200 200"
OPERATORS = "302 302 403 403 200"
OPERATORS_BACK = "302 302 403 403 302"
NOBODY = "302 302 403 403 403"
TRIED = "302 302 403 403 400"
# One's own pages. There is nothing of another's in them for anybody, a superuser included.
MINE = "302 200 200 200 200"
MINE_400 = "302 400 400 400 400"
NOT_MINE = "302 404 404 404 404"
MINE_405 = "302 405 405 405 405"
ROOMS = "302 200 403 403 200"
ROOMS_400 = "302 400 403 403 400"
ROOMS_405 = "302 405 403 403 405"
# REST. Whoever may not meet finds no rooms there.
API = "401 200 200 200 200"
API_201 = "401 201 201 201 201"
API_400 = "401 400 400 400 400"
API_404 = "401 404 404 404 404"
API_405 = "401 405 405 405 405"
MEET = "401 200 404 404 200"
MEET_400 = "401 400 404 404 400"
MEET_405 = "401 405 404 404 405"

EDITED = "(sessions_app/(apikey|outsideidentity|preference|user)|auth/group|tools_app/toolpolicy)"
SIGN_INS = "(sessions_app/(sessiontoken|tokenfamily))"
ADDED = "(sessions_app/revokedtoken)"
TOOLS = "(tools_app/toolpolicy)"  # there is a row for each tool, as long as there is the tool
HISTORY = "(admin/logentry|sessions_app/session|collab_app/(room|membership|message)|tools_app/toolcall)"
MODELS = f"({EDITED}|{SIGN_INS}|{ADDED}|{HISTORY})"
OBJECT = re.escape("<path:object_id>/")
INT, PK, ROOM = (re.escape(part) for part in ("<int:id>/", "<int:pk>/", "<room:id>/"))


@dataclass(frozen=True)
class Rule:
    route: str
    """A regular expression of Django's own way to write it."""
    get: str
    post: str
    others: str | dict[str, str]
    """What PUT, PATCH and DELETE are answered, or each of them that is not as the rest."""
    rest: str = NO_METHOD

    def fits(self, route: str) -> bool:
        return re.fullmatch(self.route, route) is not None

    def answers(self, method: str) -> dict[str, int]:
        others = self.others if isinstance(self.others, str) else self.others.get(method, self.rest)
        line = {"GET": self.get, "POST": self.post}.get(method, others)
        return dict(zip(VISITORS, map(int, line.split()), strict=True))


RULES = (
    # --- Everybody's ---
    Rule("", OPEN, NO_METHOD, NO_METHOD),
    Rule("livez|readyz", OPEN, NO_METHOD, NO_METHOD),
    Rule("sign-in/", "200 302 302 302 302", "400 302 302 302 302", "405 302 302 302 302"),
    Rule("sign-out/", NO_METHOD, AWAY, NO_METHOD),
    Rule("password/<uidb64>/<token>/", OPEN, OPEN, OPEN),  # the same page about a link that opens nothing
    Rule("password/chosen/", OPEN, NO_METHOD, NO_METHOD),
    # --- The control room ---
    Rule("admin/", STAFF, STAFF, NO_METHOD),
    Rule("admin/login/", "200 200 302 302 302", OPEN, NO_METHOD),
    Rule("admin/logout/", STAFF_405, STAFF, NO_METHOD),
    Rule("admin/search/", STAFF, STAFF, NO_METHOD),
    Rule("admin/jsi18n/", STAFF, STAFF_405, NO_METHOD),
    Rule("admin/autocomplete/", NOBODY, STAFF_405, NO_METHOD),
    Rule("admin/password_change/", STAFF, STAFF, NO_METHOD),
    Rule("admin/password_change/done/", STAFF, STAFF_405, NO_METHOD),
    Rule(re.escape("admin/r/<path:content_type_id>/<path:object_id>/"), STAFF_404, STAFF_404, NO_METHOD),
    Rule(r"admin/\^\(\?P<app_label>.*", "302 302 404 200 200", "302 302 404 200 200", NO_METHOD),
    Rule(re.escape("admin/(?P<url>.*)$"), STAFF_404, STAFF_404, NO_METHOD),
    Rule(f"admin/{MODELS}/", VIEWERS, VIEWERS, NO_METHOD),
    Rule(f"admin/{MODELS}/{OBJECT}", AWAY, AWAY, NO_METHOD),  # to where a page of Django's was once
    Rule(f"admin/{MODELS}/{OBJECT}history/", VIEWERS, VIEWERS, NO_METHOD),
    Rule(f"admin/(?!tools_app/)({EDITED}|{ADDED})/add/", OPERATORS, OPERATORS, NO_METHOD),
    Rule(f"admin/({SIGN_INS}|{HISTORY}|{TOOLS})/add/", NOBODY, NOBODY, NO_METHOD),
    Rule(f"admin/(?!tools_app/){EDITED}/{OBJECT}change/", VIEWERS, OPERATORS, NO_METHOD),
    Rule(f"admin/(tools_app/toolpolicy|{SIGN_INS})/{OBJECT}change/", VIEWERS, OPERATORS_BACK, NO_METHOD),  # saved
    Rule(f"admin/({ADDED}|{HISTORY})/{OBJECT}change/", VIEWERS, NOBODY, NO_METHOD),
    Rule(f"admin/(?!tools_app/){EDITED}/{OBJECT}delete/", OPERATORS, OPERATORS, NO_METHOD),
    Rule(f"admin/({SIGN_INS}|{ADDED}|{HISTORY}|{TOOLS})/{OBJECT}delete/", NOBODY, NOBODY, NO_METHOD),
    Rule(re.escape("admin/tools_app/toolpolicy/<str:object_id>/try/"), STAFF_405, TRIED, NO_METHOD),
    Rule("admin/sessions_app/user/<id>/password/", OPERATORS, OPERATORS, NO_METHOD),
    Rule(f"admin/sessions_app/user/{PK}password-link/", STAFF_405, OPERATORS_BACK, NO_METHOD),
    Rule(f"admin/(collab_app/room/{PK}|tools_app/toolcall/)export/", STAFF_405, "302 302 403 403 400", NO_METHOD),
    # --- One's own pages ---
    Rule("me/((account|preferences)/)?", MINE, MINE_400, MINE_405),
    Rule("me/(keys|sessions|rooms|usage)/", MINE, MINE_405, MINE_405),
    Rule(f"me/connection/{PK}", NOT_MINE, MINE_405, MINE_405),
    Rule(f"me/keys/<credential:kind>/{PK}revoke/", NOT_MINE, NOT_MINE, MINE_405),
    Rule(f"me/sessions/{PK}end/", NOT_MINE, NOT_MINE, MINE_405),
    Rule("me/preferences/edit/", NOT_MINE, MINE_400, MINE_405),
    Rule("me/preferences/delete/", NOT_MINE, NOT_MINE, MINE_405),
    Rule("rooms/", ROOMS, ROOMS_400, ROOMS_405),
    Rule("rooms/<room:public_id>/", NOT_MINE, MINE_405, MINE_405),
    # --- REST ---
    Rule("api/(schema|docs)/", OPEN, NO_METHOD, NO_METHOD),
    Rule("api/token/((refresh|revoke)/)?", NO_METHOD, INCOMPLETE, NO_METHOD),
    Rule("api/", API_404, API_404, API_404),
    Rule("api/(preferences|sessions|usage)/", API, API_405, API_405),
    Rule("api/keys/", API, API_400, API_405),
    Rule("api/session-tokens/", API, INCOMPLETE, API_405),
    Rule(f"api/(session-tokens|keys|sessions)/{INT}", API_405, API_405, {"DELETE": API_404}, API_405),
    Rule(f"api/keys/{INT}rotate/", API_405, API_404, API_405),
    Rule("api/websocket-tickets/", API_405, API_201, API_405),
    Rule("api/preferences/<anything:key>/", API_404, API_405, {"PUT": API_400, "DELETE": API_404}, API_405),
    Rule("api/rooms/", MEET, MEET_400, MEET_405),
    Rule("api/room-invitations/", MEET, MEET_405, MEET_405),
    Rule(f"api/rooms/{ROOM}((state|export)/)?", API_404, MEET_405, MEET_405),
    Rule(f"api/rooms/{ROOM}messages/", API_404, MEET_400, MEET_405),
    Rule(f"api/rooms/{ROOM}(join|leave)/", MEET_405, API_404, MEET_405),
    Rule(f"api/rooms/{ROOM}members/", MEET_405, MEET_400, MEET_405),
    Rule(f"api/rooms/{ROOM}members/<anything:username>/", MEET_405, MEET_405, {"DELETE": API_404}, MEET_405),
    Rule(
        f"api/rooms/{ROOM}state/<anything:key>/", API_404, MEET_405, {"PUT": MEET_400, "DELETE": API_404}, MEET_405
    ),
)


def rule_for(route: str) -> Rule:
    """The one. Raises: ValueError where there are none, or more."""
    [rule] = (rule for rule in RULES if rule.fits(route))
    return rule
