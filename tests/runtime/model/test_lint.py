"""Each lint against a flow that differs in one place from a good one."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runtime.mapping import compile
from runtime.model import lint
from runtime.model.lints.variables import BUILT_IN
from tests.runtime.model.lint_scope import GONE, SCOPE, changed, findings, flow

ONCE = {
    "id": "again", "type": "soap.call", "connection": "erp", "effect": "once",
    "parameters": {"operation": "CreatePurchaseOrder"},
    "look_up": "none: nothing to ask", "undo": "none: nothing to take back",
}  # fmt: skip

QUERY = {
    "id": "ask", "type": "sql.query", "connection": "stock",
    "parameters": {"statement": "='SELECT * FROM ' & table", "values": {"id": "=number"}},
}  # fmt: skip

BOOKING = {
    "id": "book", "type": "sql.write", "connection": "stock", "effect": "idempotent",
    "parameters": {"statements": [{"statement": "=statement", "values": "=lines"}]},
}  # fmt: skip

LOOK_UP = {"type": "soap.call", "parameters": {"operation": "Find"}, "found": "=$exists(Number)"}


class Mistake(NamedTuple):
    """One place of one flow, what is written there, and the one finding that it makes."""

    code: str
    flow: str
    change: str
    value: Any
    pointer: str
    message: str
    suggestion: str = ""
    severity: str = "error"


MISTAKES = [
    # shape
    Mistake("unknown-key", "good", "/nods", 1, "/nods", "the key 'nods' means nothing", "did you mean 'nodes'?"),
    Mistake("unknown-key", "good", "/nodes/5/parametres", {}, "/nodes/5/parametres", "'parametres' means nothing", "'parameters'?"),
    Mistake("unknown-key", "good", "/nodes/6/retry/atempts", 1, "/nodes/6/retry/atempts", "'atempts'", "'attempts'?"),
    Mistake("unknown-key", "good", "/nodes/6/look_up/setle", "1s", "/nodes/6/look_up/setle", "'setle'", "'settle'?"),
    Mistake("unknown-key", "good", "/trigger/acepts", "x", "/trigger/acepts", "'acepts'", "'accepts'?"),
    Mistake("unknown-key", "every_node", "/nodes/0/cases/0/nodes/0/in~1to", "x", "/nodes/0/cases/0/nodes/0/in~1to", "'in/to'", "'into'?"),
    Mistake("missing-key", "good", "/owner", GONE, "", "the key 'owner' is missing", "add 'owner'"),
    Mistake("missing-key", "good", "/nodes/5/parameters/mapping", GONE, "/nodes/5/parameters", "'mapping' is missing"),
    Mistake("missing-key", "good", "/nodes/6/look_up/found", GONE, "/nodes/6/look_up", "'found' is missing"),
    Mistake("missing-key", "good", "/nodes/0/id", GONE, "/nodes/0", "'id' is missing"),
    Mistake("missing-key", "good", "/nodes/0/type", GONE, "/nodes/0", "'type' is missing"),
    Mistake("missing-key", "polling", "/trigger/every", GONE, "/trigger", "sftp.collect needs 'every'", "how often"),
    Mistake("missing-key", "good", "/trigger", {"type": "schedule"}, "/trigger", "needs 'cron'", "0 6 * * 1-5"),
    Mistake("missing-key", "good", "/trigger", {"type": "event"}, "/trigger", "needs 'event'"),
    Mistake("missing-key", "every_node", "/nodes/4/parameters/key", GONE, "/nodes/4/parameters", "without saying whose"),
    Mistake("bad-field", "good", "/nodes/0/id", "Items", "/nodes/0/id", "'Items' does not match the pattern ^[a-z]"),
    Mistake("bad-field", "good", "/nodes/6/retry/attempts", 0, "/nodes/6/retry/attempts", "should be greater than or equal to 1"),
    Mistake("bad-field", "good", "/nodes/6/look_up", 5, "/nodes/6/look_up", "5 should be a valid"),
    Mistake("bad-field", "good", "/nodes/6/effect", "twice", "/nodes/6/effect", "'twice' should be 'none', 'idempotent' or 'once'"),
    Mistake("bad-field", "every_node", "/trigger/reply", "later", "/trigger/reply", "'later' should be 'accepted'"),
    Mistake("bad-field", "good", "/nodes", [], "/nodes", "[] should have at least 1 item"),
    Mistake("bad-field", "every_node", "/nodes/6/parameters/status", 99, "/nodes/6/parameters/status", "99 is not an HTTP status"),
    Mistake("bad-field", "every_node", "/nodes/2/parameters/at_once", "two", "/nodes/2/parameters/at_once", "'two' is not a whole number"),
    Mistake("bad-field", "every_node", "/nodes/4/parameters", {"until": "tomorrow"}, "/nodes/4/parameters/until", "'tomorrow' is not a time"),
    Mistake("bad-duration", "good", "/nodes/6/retry/first", "2 seconds", "/nodes/6/retry/first", "'2 seconds' is not a duration: write a whole number and ms, s, m, h or d"),
    Mistake("bad-duration", "good", "/nodes/8/expect/0/within", "soon", "/nodes/8/expect/0/within", "'soon' is not a duration"),
    Mistake("bad-duration", "every_node", "/nodes/4/parameters/within", "1 day", "/nodes/4/parameters/within", "'1 day' is not a duration"),
    # operations
    Mistake("unknown-node-type", "good", "/nodes/1/type", "rest.requst", "/nodes/1/type", "there is no node type 'rest.requst'", "did you mean 'rest.request'?"),
    Mistake("unknown-node-type", "good", "/nodes/3/type", "rout", "/nodes/3/type", "there is no node type 'rout'", "did you mean 'route'?"),
    Mistake("unknown-operation-type", "good", "/nodes/6/look_up/type", "soap.cal", "/nodes/6/look_up/type", "no operation type 'soap.cal'", "'soap.call'?"),
    Mistake("unknown-decode-type", "polling", "/trigger/decode/type", "x12.reed", "/trigger/decode/type", "no decode type 'x12.reed'", "'x12.read'?"),
    Mistake("unknown-trigger-type", "polling", "/trigger/type", "sftp.colect", "/trigger/type", "no trigger type 'sftp.colect'", "'sftp.collect'?"),
    Mistake("unknown-parameter", "good", "/nodes/1/parameters/qery", {}, "/nodes/1/parameters/qery", "there is no parameter 'qery'", "did you mean 'query'?"),
    Mistake("unknown-parameter", "good", "/nodes/6/look_up/parameters/bodi", {}, "/nodes/6/look_up/parameters/bodi", "no parameter 'bodi'", "'body'?"),
    Mistake("unknown-parameter", "good", "/nodes/6/undo/parameters/bodi", {}, "/nodes/6/undo/parameters/bodi", "no parameter 'bodi'"),
    Mistake("unknown-parameter", "polling", "/trigger/parameters/foldr", "x", "/trigger/parameters/foldr", "no parameter 'foldr'", "'folder'?"),
    Mistake("unknown-parameter", "polling", "/trigger/decode/parameters", {"partne": "acme"}, "/trigger/decode/parameters/partne", "no parameter 'partne'", "'partner'?"),
    Mistake("missing-parameter", "good", "/nodes/2/parameters/operation", GONE, "/nodes/2/parameters", "the parameter 'operation' is required", "add 'operation'"),
    Mistake("missing-parameter", "good", "/nodes/8/parameters/path", GONE, "/nodes/8/parameters", "'path' is required"),
    Mistake("missing-parameter", "good", "/nodes/6/undo/parameters", {}, "/nodes/6/undo/parameters", "'operation' is required"),
    Mistake("bad-parameter", "good", "/nodes/1/parameters/output", "all", "/nodes/1/parameters/output", "'all' should be 'body' or 'response'"),
    Mistake("bad-parameter", "good", "/nodes/1/parameters/ok", ["fine"], "/nodes/1/parameters/ok/0", "'fine' should be a valid integer"),
    Mistake("not-evaluated", "polling", "/trigger/parameters/folder", "=$env.folder", "/trigger/parameters/folder", "taken as they stand"),
    Mistake("not-evaluated", "polling", "/trigger/decode/parameters", {"partner": "=$headers.from"}, "/trigger/decode/parameters/partner", "taken as they stand"),
    Mistake("computed-parameter", "good", "/nodes/-", QUERY, "/nodes/10/parameters/statement", "'statement' is computed", "give what varies as values"),
    Mistake("computed-parameter", "good", "/nodes/-", BOOKING, "/nodes/10/parameters/statements/0/statement", "must not come out of a document"),
    Mistake("source-in-nodes", "good", "/nodes/1/type", "sftp.collect", "/nodes/1/type", "sftp.collect starts flows", "trigger"),
    Mistake("source-in-nodes", "good", "/nodes/6/look_up/type", "sftp.collect", "/nodes/6/look_up/type", "it cannot be asked"),
    Mistake("not-a-source", "good", "/trigger", {"type": "soap.call"}, "/trigger/type", "soap.call is no source"),
    Mistake("not-a-decoder", "polling", "/trigger/decode/type", "x12.write", "/trigger/decode/type", "does not turn bytes into JSON", "x12.read"),
    Mistake("unknown-connection", "good", "/nodes/2/connection", "erpp", "/nodes/2/connection", "there is no connection 'erpp'", "did you mean 'erp'?"),
    Mistake("unknown-connection", "every_node", "/trigger/auth", "portl", "/trigger/auth", "there is no connection 'portl'", "'portal'?"),
    Mistake("unknown-connection", "good", "/nodes/6/undo/connection", "ep", "/nodes/6/undo/connection", "no connection 'ep'", "'erp'?"),
    Mistake("connection-type", "good", "/nodes/2/connection", "contracts", "/nodes/2/connection", "'contracts' is of type 'rest', needed is soap"),
    Mistake("connection-type", "every_node", "/trigger/auth", "erp", "/trigger/auth", "needed is api_key or webhook_hmac", "portal"),
    Mistake("missing-connection", "good", "/nodes/2/connection", GONE, "/nodes/2", "soap needs a connection and none is named", "erp"),
    Mistake("missing-connection", "polling", "/trigger/connection", GONE, "/trigger", "sftp needs a connection", "acme_sftp"),
    Mistake("unknown-partner", "good", "/nodes/7/parameters/partner", "acmee", "/nodes/7/parameters/partner", "there is no partner 'acmee'", "did you mean 'acme'?"),
    Mistake("needless-key", "good", "/nodes/7/connection", "erp", "/nodes/7/connection", "x12.write reaches no peer"),
    Mistake("needless-key", "good", "/trigger/cron", "0 6 * * *", "/trigger/cron", "a trigger of type call does nothing with 'cron'"),
    Mistake("needless-key", "every_node", "/trigger/every", "1m", "/trigger/every", "of type webhook does nothing with 'every'"),
    Mistake("needless-key", "every_node", "/nodes/4/parameters", {"for": "1h", "within": "1d"}, "/nodes/4/parameters/within", "'within' belongs to 'event'"),
    Mistake("needless-key", "good", "/nodes/2/look_up", LOOK_UP, "/nodes/2/look_up", "effect of node 'budget' is none: it is never looked up", severity="warning"),
    Mistake("once-without-look-up", "good", "/nodes/6/look_up", GONE, "/nodes/6", "node 'order' has effect once and no 'look_up'", '"look_up": "none: <reason>"'),
    Mistake("once-without-look-up", "good", "/nodes/6/look_up", "none:", "/nodes/6/look_up", "'none:' is neither a look_up nor a reason"),
    Mistake("once-without-undo", "good", "/nodes/6/undo", GONE, "/nodes/6", "has effect once and no 'undo'", '"undo": "none: <reason>"'),
    Mistake("once-without-undo", "good", "/nodes/-", {key: value for key, value in ONCE.items() if key not in ("undo", "effect")}, "/nodes/10", "node 'again' has effect once and no 'undo'"),
    Mistake("expect-without-effect", "good", "/nodes/2/expect", [{"event": "x", "key": "=total", "within": "1d"}], "/nodes/2/expect", "node 'budget' has effect none"),
    Mistake("bad-cron", "good", "/trigger", {"type": "schedule", "cron": "99 * * * *"}, "/trigger/cron", "'99 * * * *' is not a cron expression"),
    Mistake("unknown-zone", "good", "/trigger", {"type": "schedule", "cron": "0 6 * * *", "zone": "Berlin"}, "/trigger/zone", "there is no time zone 'Berlin'"),
    Mistake("reply-without-respond", "good", "/trigger", {"type": "webhook", "reply": {"result": {"within": "5s"}}}, "/trigger/reply", "no node responds", severity="warning"),
    # names
    Mistake("unknown-mapping", "good", "/nodes/5/parameters/mapping", "requisition_to_order", "/nodes/5/parameters/mapping", "there is no mapping 'requisition_to_order'", "did you mean 'requisition_to_purchase_order'?"),
    Mistake("unknown-mapping", "good", "/nodes/6/parameters/body", "=$map_with('canonical_to_erp', purchase_order)", "/nodes/6/parameters/body", "no mapping 'canonical_to_erp'", "'canonical_to_erp_order'?"),
    Mistake("unknown-mapping", "every_node", "/trigger/mapping", "portal", "/trigger/mapping", "no mapping 'portal'"),
    Mistake("unknown-schema", "good", "/trigger/accepts", "canonical/requsition", "/trigger/accepts", "there is no schema 'canonical/requsition'", "'canonical/requisition'?"),
    Mistake("unknown-policy", "good", "/nodes/4/parameters/policy", "procurment", "/nodes/4/parameters/policy", "there is no policy 'procurment'", "'procurement'?"),
    Mistake("unknown-flow", "every_node", "/nodes/5/parameters/flow", "requisition_to_ordr", "/nodes/5/parameters/flow", "there is no flow", "'requisition_to_order'?"),
    # control nodes
    Mistake("duplicate-node-id", "good", "/nodes/9/id", "tell", "/nodes/9/id", "the id 'tell' stands twice"),
    Mistake("unknown-outcome", "good", "/nodes/4/on/refused", [{"id": "x", "type": "end"}], "/nodes/4/on/refused", "approve has no outcome 'refused'", "known: approved, expired, rejected"),
    Mistake("unknown-outcome", "good", "/nodes/1/on", {"doen": []}, "/nodes/1/on/doen", "rest.request has no outcome 'doen'", "did you mean 'done'?"),
    Mistake("whole-with-effect", "good", "/nodes/1", {"id": "both", "type": "group", "redrive": "whole", "nodes": [{"id": "hook", "type": "publish", "parameters": {"event": "x"}}]}, "/nodes/1/nodes/0", "node 'hook' of type publish stands in group 'both'", "put it behind the group"),
    Mistake("whole-with-effect", "good", "/nodes/1", {"id": "both", "type": "group", "redrive": "whole", "nodes": [ONCE]}, "/nodes/1/nodes/0", "node 'again' of type soap.call", "only nodes with effect none"),
    Mistake("connection-computed", "polling", "/trigger/connection", "=partner", "/trigger/connection", "only a node may take its connection", "name a connection"),
    Mistake("connection-computed", "good", "/nodes/6/look_up/connection", "=erp", "/nodes/6/look_up/connection", "only a node may", "uses that of its node"),
    Mistake("bad-expression", "good", "/nodes/6/connection", "=erp(", "/nodes/6/connection", "is not JSONata"),
    Mistake("approval-falls-through", "good", "/nodes/4/on/rejected/1", {"id": "stop", "type": "publish", "parameters": {"event": "x"}}, "/nodes/4/on/rejected", "as if it were approved", "end or raise"),
    Mistake("approval-falls-through", "good", "/nodes/4/on/expired", [], "/nodes/4/on/expired", "after 'expired' the flow goes on"),
    Mistake("unhandled-outcome", "good", "/nodes/4/on", GONE, "/nodes/4", "nothing is said for the case that 'approve' is rejected", severity="warning"),
    Mistake("map-without-into", "good", "/nodes/-", {"id": "lost", "type": "map", "parameters": {"mapping": "line"}}, "/nodes/10", "what node 'lost' makes goes nowhere", "add \"into\""),
    Mistake("wait-needs-one", "every_node", "/nodes/4/parameters", {}, "/nodes/4/parameters", "nothing to wait for is given", "'for', 'until' and 'event'"),
    Mistake("wait-needs-one", "every_node", "/nodes/4/parameters/for", "1h", "/nodes/4/parameters", "both 'for' and 'event' are given"),
    Mistake("unreachable-node", "every_node", "/nodes/-", {"id": "more", "type": "publish", "parameters": {"event": "x"}}, "/nodes/8", "node 'more' never runs", severity="warning"),
    # expressions
    Mistake("bad-expression", "good", "/nodes/3/cases/0/when", "=budget.Status != ", "/nodes/3/cases/0/when", "'budget.Status != ' is not JSONata"),
    Mistake("bad-expression", "good", "/identity", "=requisition_number &", "/identity", "is not JSONata"),
    Mistake("bad-expression", "good", "/keys/requisition", "=(", "/keys/requisition", "is not JSONata"),
    Mistake("bad-expression", "good", "/nodes/6/look_up/found", "=$exists(", "/nodes/6/look_up/found", "is not JSONata"),
    Mistake("bad-expression", "good", "/nodes/8/expect/0/key", "=]", "/nodes/8/expect/0/key", "is not JSONata"),
    Mistake("not-an-expression", "good", "/identity", "requisition_number", "/identity", "'requisition_number' is a fixed text", "'=requisition_number'"),
    Mistake("not-an-expression", "good", "/nodes/3/cases/0/when", "budget.Status != 'OK'", "/nodes/3/cases/0/when", "is a fixed text"),
    Mistake("not-an-expression", "every_node", "/nodes/2/parameters/items", "lines", "/nodes/2/parameters/items", "'lines' is a fixed text"),
    Mistake("map-with-not-literal", "good", "/nodes/6/parameters/body", "=$map_with(mapping, purchase_order)", "/nodes/6/parameters/body", "$map_with is given a name that is computed"),
    Mistake("unknown-node", "every_node", "/nodes/6/parameters/body", "=$nodes.oder", "/nodes/6/parameters/body", "there is no node 'oder'", "did you mean 'order'?"),
    Mistake("node-before-it-runs", "good", "/nodes/1/parameters/path", "=$nodes.budget.Path", "/nodes/1/parameters/path", "node 'budget' has never run"),
    Mistake("node-before-it-runs", "good", "/nodes/1/parameters/path", "=$nodes.prices.next", "/nodes/1/parameters/path", "node 'prices' has never run"),
    Mistake("node-before-it-runs", "good", "/identity", "=$nodes.items.code", "/identity", "node 'items' has never run"),
    Mistake("node-before-it-runs", "every_node", "/nodes/6/parameters/body", "=$nodes.number", "/nodes/6/parameters/body", "node 'number' has never run", "for_each and parallel"),
    Mistake("node-before-it-runs", "every_node", "/nodes/6/parameters/body", "=$nodes.supplier", "/nodes/6/parameters/body", "node 'supplier' has never run"),
    Mistake("node-before-it-runs", "every_node", "/nodes/0/otherwise/0/parameters/data", "=$nodes.mark", "/nodes/0/otherwise/0/parameters/data", "node 'mark' has never run"),
    Mistake("node-before-it-runs", "every_node", "/nodes/6/parameters/body", "=$nodes.mark", "/nodes/6/parameters/body", "stands in a branch that need not have run", "$exists($nodes.mark)", "warning"),
    Mistake("node-before-it-runs", "every_node", "/nodes/6/parameters/body", "=$nodes.stock", "/nodes/6/parameters/body", "need not have run", severity="warning"),
    Mistake("unbound-variable", "every_node", "/nodes/6/parameters/body", "=$parent", "/nodes/6/parameters/body", "$parent is bound inside for_each and parallel only"),
    Mistake("unbound-variable", "every_node", "/nodes/6/parameters/body", "=$error.message", "/nodes/6/parameters/body", "$error is bound inside on_error only"),
    Mistake("unbound-variable", "every_node", "/nodes/6/parameters/body", "=$lookup($nodes, 'order')", "/nodes/6/parameters/body", "$nodes is read as a whole"),
    Mistake("unbound-variable", "good", "/identity", "=$run.id", "/identity", "$run is bound inside nodes only"),
    Mistake("unknown-variable", "every_node", "/nodes/6/parameters/body", "=$heders.from", "/nodes/6/parameters/body", "there is no variable '$heders'", "did you mean '$headers'?"),
    Mistake("unknown-function", "every_node", "/nodes/6/parameters/body", "=$upercase(title)", "/nodes/6/parameters/body", "there is no function '$upercase'", "did you mean '$uppercase'?"),
    # members of the body
    Mistake("unknown-member", "good", "/nodes/3/cases/0/when", "=buget.Status != 'OK'", "/nodes/3/cases/0/when", "accepts or sets is called 'buget'", "did you mean 'budget'?", "warning"),
    Mistake("unknown-member", "good", "/nodes/9/parameters/data", "={'of': [purchase_ordr]}", "/nodes/9/parameters/data", "'purchase_ordr'", "did you mean 'purchase_order'?", "warning"),
    Mistake("unknown-member", "good", "/nodes/6/keys/purchase_order", "=rep.Number & purchase_odrer", "/nodes/6/keys/purchase_order", "'purchase_odrer'", "'purchase_order'?", "warning"),
    Mistake("unknown-member", "good", "/nodes/2/parameters/body", "={'CostCenter': $.cost_centre1, 'Amount': totl}", "/nodes/2/parameters/body", "'totl'", "did you mean 'total'?", "warning"),
    Mistake("unknown-member", "good", "/nodes/0/parameters/codes", "=line.item_number", "/nodes/0/parameters/codes", "'line'", "did you mean 'lines'?", "warning"),
    Mistake("unknown-member", "good", "/nodes/9/parameters/data", "=aprove", "/nodes/9/parameters/data", "'aprove'", "did you mean '$nodes.approve'?", "warning"),
    Mistake("unknown-member", "good", "/identity", "=requisition_numbr & '/' & revision", "/identity", "'requisition_numbr'", "'requisition_number'?", "warning"),
    Mistake("unknown-member", "good", "/keys/requisition", "=$$.requisition_numer", "/keys/requisition", "'requisition_numer'", "'requisition_number'?", "warning"),
    Mistake("unknown-member", "good", "/order_by", "=cost_centr", "/order_by", "'cost_centr'", "did you mean 'cost_center'?", "warning"),
    # hosts and secrets
    Mistake("host-or-secret-in-flow", "good", "/nodes/1/parameters/path", "https://prices.example/p", "/nodes/1/parameters/path", "'path' names a host: https://prices.example/p", "connection"),
    Mistake("host-or-secret-in-flow", "good", "/nodes/8/parameters/path", "10.1.2.3", "/nodes/8/parameters/path", "names a host"),
    Mistake("host-or-secret-in-flow", "good", "/nodes/1/parameters/headers", {"Authorization": "Bearer abc"}, "/nodes/1/parameters/headers/Authorization", "'Authorization' holds a secret"),
    Mistake("host-or-secret-in-flow", "good", "/nodes/6/undo/parameters/body", {"ApiKey": "abc"}, "/nodes/6/undo/parameters/body/ApiKey", "'ApiKey' holds a secret"),
    Mistake("host-or-secret-in-flow", "good", "/nodes/1/parameters/query", {"of": "env:BUYER"}, "/nodes/1/parameters/query/of", "or a reference to one"),
]  # fmt: skip


@pytest.mark.parametrize("name", ["good", "every_node", "polling"])
def test_a_good_flow_has_no_finding(name: str) -> None:
    """What is right is never complained about."""
    assert lint.lint_flow(flow(name), f"{name}.json", SCOPE) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.code}{mistake.change}")
def test_one_mistake_makes_one_finding_that_names_it(mistake: Mistake) -> None:
    """Code, severity, pointer, message and suggestion are exact, and nothing else is said."""
    found = findings(mistake.flow, mistake.change, mistake.value)

    assert [(each.code, each.severity, each.pointer) for each in found] == [
        (mistake.code, mistake.severity, mistake.pointer)
    ], "\n".join(map(str, found))
    assert mistake.message in found[0].message
    assert mistake.suggestion in found[0].suggestion
    assert found[0].file == f"{mistake.flow}.json"


def test_all_mistakes_are_found_at_once() -> None:
    """One mistake never hides another, not even one that keeps the file from being read as a flow."""
    document = changed("good", "/nodes/1/parameters/qery", {})
    document["nodes"][2]["connection"] = "erpp"
    document["nodes"][6]["looked_up"] = {}
    del document["owner"]

    found = lint.lint_flow(document, "good.json", SCOPE)

    assert {(each.code, each.pointer) for each in found} == {
        ("missing-key", ""),
        ("unknown-parameter", "/nodes/1/parameters/qery"),
        ("unknown-connection", "/nodes/2/connection"),
        ("unknown-key", "/nodes/6/looked_up"),
    }


@pytest.mark.parametrize("document", [None, [], 5, "flow", {}, {"nodes": 5}, {"nodes": [5, None]}, {"trigger": 5}])
def test_anything_that_is_json_can_be_linted(document: Any) -> None:
    """A file of any shape gives findings, never an exception."""
    assert lint.lint_flow(document, "odd.json", SCOPE)


def test_every_value_of_a_flow_may_be_of_any_kind() -> None:
    """Each value replaced by each kind of JSON value in turn: findings or none, never an exception."""
    for name in ("good", "every_node", "polling"):
        for pointer in _pointers(flow(name)):
            for odd in (None, True, 5, "", "=", "x", [], {}, [{}], {"x": 1}, [[5]]):
                findings(name, pointer, odd)


def _pointers(value: Any, place: str = "") -> list[str]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ([place] if place else []) + [p for key, inner in children for p in _pointers(inner, f"{place}/{key}")]


def test_names_that_nothing_is_known_of_are_not_checked() -> None:
    """A flow linted by itself is not told that its connections do not exist."""
    assert lint.lint_flow(flow("good"), "good.json", lint.Scope()) == []


def test_an_output_read_by_name_makes_a_map_useful_without_into() -> None:
    """``$nodes.x`` is a use as good as ``into``."""
    document = changed("every_node", "/nodes/6/parameters/body", "=$nodes.made")
    document["nodes"].insert(6, {"id": "made", "type": "map", "parameters": {"mapping": "line"}})

    assert lint.lint_flow(document, "every_node.json", SCOPE) == []


def test_a_guarded_read_of_a_node_that_may_not_have_run_is_fine() -> None:
    """``$exists`` says what holds then."""
    assert findings("every_node", "/nodes/6/parameters/body", "=$exists($nodes.mark) ? $nodes.mark : $") == []


def test_a_node_on_all_ways_has_run() -> None:
    """A branch that raises is no way on, so what stands in the other branch is certain."""
    document = changed("every_node", "/nodes/6/parameters/body", "=$nodes.mark")
    document["nodes"][0]["otherwise"] = [{"id": "no", "type": "raise", "parameters": {"kind": "x", "message": "y"}}]

    assert lint.lint_flow(document, "every_node.json", SCOPE) == []


def test_an_undo_and_a_look_up_use_the_connection_of_their_node() -> None:
    """They name one only where they need another."""
    assert findings("good", "/nodes/6/look_up/connection", GONE) == []


def test_what_an_expression_gives_is_not_judged() -> None:
    """Only literal values can be wrong before a run."""
    assert findings("good", "/nodes/1/parameters/ok", "=statuses") == []
    assert findings("good", "/nodes/1/parameters/query", "=$headers") == []


@pytest.mark.parametrize(
    ("place", "expression"),
    [
        ("/nodes/3/cases/0/when", "=lines[lnes = 1].budgt"),
        ("/nodes/3/cases/0/when", "=lines.(budgt)"),
        ("/nodes/3/cases/0/when", "=budgets or price or fine"),
        ("/nodes/6/look_up/found", "=$exists(budgt)"),
        ("/nodes/6/undo/parameters/body", "={'Number': budgt}"),
        ("/identity", "=budgt & approv"),
    ],
)
def test_a_name_that_may_well_be_there_is_not_doubted(place: str, expression: str) -> None:
    """Of items, outputs and what senders add nothing is known, and a plural may stand beside its singular; before
    the flow begins it has set nothing."""
    assert findings("good", place, expression) == []


def test_a_body_that_was_replaced_has_no_member_of_the_schema() -> None:
    document = changed("good", "/nodes/5/into", "$")
    document["nodes"][9]["parameters"]["data"] = "=urgenc"
    assert [each.code for each in lint.lint_flow(document, "good.json", SCOPE)] == []

    document["nodes"][5]["into"] = "purchase_order"
    assert [each.code for each in lint.lint_flow(document, "good.json", SCOPE)] == ["unknown-member"]


def test_an_address_inside_data_is_data() -> None:
    """An XML namespace or a FHIR system is no host."""
    body = {"system": "http://hl7.example/codes", "value": "x"}

    assert findings("good", "/nodes/2/parameters/body", body) == []


def test_every_code_has_a_mistake_in_this_file_that_of_packs_or_a_connectors() -> None:
    """No lint without a test."""
    folder = Path(lint.__file__).parent / "lints"
    codes = {code for path in folder.glob("*.py") for code in _codes(ast.parse(path.read_text()))}
    connectors = Path(__file__).parents[2] / "connectors"
    files = [Path(__file__), Path(__file__).parent / "test_lint_pack.py"]
    files += [connectors / "hl7/test_feed_profiles.py", connectors / "mllp/test_lint.py"]
    tests = "".join(path.read_text() for path in files).split('"')

    assert sorted(codes - set(tests)) == []


def _codes(module: ast.Module) -> set[str]:
    calls = (
        node for node in ast.walk(module) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    )
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("error", "warning", "unknown")
        if call.args and isinstance(call.args[0], ast.Constant)
    }


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_function_that_counts_as_known_is_there(name: str) -> None:
    """The list of JSONata's own functions is the engine's."""
    assert compile(f"$type(${name})").evaluate({}) == "function"
