"""One deployment of one Bicep file: what each of its names stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.infra.bicep.evaluation import Evaluator, Locals
from tests.infra.bicep.parameters import check_given, check_parameter, check_type
from tests.infra.bicep.places import check_scope, identity, place_function, scope_of
from tests.infra.bicep.plan import Plan, Sources
from tests.infra.bicep.schema import Schemas
from tests.infra.bicep.tree import BicepError, Declaration, File, Node, Problem
from tests.infra.bicep.values import Module, Resource, Runtime, is_runtime, known, later, plain

_META = {"parent", "scope", "dependsOn"}
_MODULE_PROPERTIES = {"name", "scope", "params", "dependsOn"}
_UNFINISHED = object()
_BROKEN = object()


class _Silent(Exception):
    """Something rests on what has been reported as wrong already."""


class Deployment:
    """One deployment of one file; computes each name when it is first asked for."""

    def __init__(
        self,
        file: File,
        given: Mapping[str, Any],
        *,
        scope: str,
        schemas: Schemas,
        sources: Sources,
        plan: Plan,
    ) -> None:
        self.path = file.path
        self.schemas = schemas
        self._file = file
        self._given = given
        self._scope = scope
        self._sources = sources
        self._plan = plan
        self._evaluator = Evaluator(self)
        self._declared = {
            declared.name: declared
            for declared in file.of("parameter", "variable", "resource", "module")
        }
        self._types = {declared.name: declared.target for declared in file.of("type")}
        self._made: dict[str, Any] = {}
        self._children: dict[tuple[int, str], Any] = {}

    def deploy(self) -> dict[str, Any]:
        """Compute everything; returns the outputs."""
        for name, declared in self._declared.items():
            self._attempt(partial(self.value, name, declared.body))
        outputs = {}
        for declared in self._file.of("output"):
            found = self._attempt(partial(self._output, declared))
            outputs[declared.name] = found
        return outputs

    def value(self, name: str, node: Node) -> Any:
        """What a name of this file stands for."""
        declared = self._declared.get(name)
        if declared is None:
            raise BicepError("name", f"{name} is not declared", node.place)
        if name not in self._made:
            self._made[name] = _UNFINISHED
            try:
                self._made[name] = getattr(self, f"_{declared.kind}")(declared)
            except BicepError as wrong:
                self._plan.problems.append(wrong.problem)
                self._made[name] = _BROKEN
            except _Silent:
                self._made[name] = _BROKEN
        if self._made[name] is _BROKEN:
            raise _Silent
        if self._made[name] is _UNFINISHED:
            raise BicepError("cycle", f"{name} rests on itself", node.place)
        return self._made[name]

    def load(self, file: Path, *, is_json: bool) -> Any:
        """What a file beside this one holds."""
        return self._sources.load(file, is_json=is_json)

    def child(self, parent: Any, name: str, node: Node) -> Any:
        """The nested resource `name` of `parent`."""
        found = self._children.get((id(parent), name))
        if found is None:
            raise BicepError("name", f"there is no nested resource {name}", node.place)
        return found

    def place_function(self, name: str, arguments: list[Any]) -> Any:
        """Functions whose value depends on where the file is deployed."""
        return place_function(self._scope, name, arguments)

    def _attempt(self, compute: Callable[[], Any]) -> Any:
        try:
            return compute()
        except BicepError as wrong:
            self._plan.problems.append(wrong.problem)
        except _Silent:
            pass
        return None

    def _parameter(self, declared: Declaration) -> Any:
        if declared.name in self._given:
            value = self._given[declared.name]
        elif declared.has_body:
            value = self._evaluator.value(declared.body, {})
        elif isinstance(declared.target, tuple) and declared.target[0] == "null":
            value = None
        else:
            raise BicepError("parameter", f"{declared.name} is not given", declared.place)
        check_parameter(declared, value, self._types)
        return value

    def _variable(self, declared: Declaration) -> Any:
        return self._evaluator.value(declared.body, {})

    def _output(self, declared: Declaration) -> Any:
        value = self._evaluator.value(declared.body, {})
        check_type(declared.target, value, self._types, declared.name, declared.place)
        return value

    def _resource(self, declared: Declaration) -> Any:
        return self._each(declared, self._one_resource)

    def _module(self, declared: Declaration) -> Any:
        return self._each(declared, self._one_module)

    def _each(
        self, declared: Declaration, make: Callable[[Declaration, Node, Locals, bool], Any]
    ) -> Any:
        """One, or one for each turn of a loop; with what a condition says."""
        if declared.body.kind != "for":
            return self._if(declared, declared.body, {}, make)
        turns = self._evaluator.turns(declared.body, {})
        return [self._if(declared, body, local, make) for body, local in turns]

    def _if(
        self,
        declared: Declaration,
        body: Node,
        local: Locals,
        make: Callable[[Declaration, Node, Locals, bool], Any],
    ) -> Any:
        if body.kind != "if":
            return make(declared, body, local, True)
        condition, inner = body.parts
        found = self._evaluator.value(condition, local)
        if is_runtime(found):
            raise BicepError("runtime", "the condition is known too late", condition.place)
        return make(declared, inner, local, self._evaluator.truth(condition, local))

    def _one_resource(
        self,
        declared: Declaration,
        body: Node,
        local: Locals,
        is_deployed: bool,
        within: Resource | None = None,
    ) -> Resource:
        entries = body.members
        kind, version = self._kind(declared, within)
        parent = within
        if "parent" in entries:
            parent = self._resource_in(entries["parent"], local)
        if "name" not in entries:
            raise BicepError("missing", f"{declared.name} has no name", declared.place)
        name = self._start(entries["name"], local)
        scope = self._scope
        if parent is not None:
            name, scope = f"{parent.name}/{name}", parent.scope
        elif "scope" in entries:
            scope = self._resource_in(entries["scope"], local).id
        if name.count("/") != kind.count("/") - 1:
            text = f"{kind} is named {name!r}: the number of names does not fit"
            raise BicepError("segments", text, entries["name"].place)
        made = Resource(
            kind=kind,
            version=version,
            name=name,
            scope=scope,
            id=identity(scope, kind, name),
            place=declared.place,
            is_existing=declared.is_existing,
            is_deployed=is_deployed,
        )
        self._plan.resources.append(made)
        for nested in body.resources:
            self._attempt(partial(self._nested_resource, nested, made, local))
        if is_deployed and not declared.is_existing:
            self._plan.seen.add((self.path, declared.name))
            made.body = self._body(declared, body, made, local)
        return made

    def _nested_resource(self, nested: Declaration, parent: Resource, local: Locals) -> None:
        def make(declared: Declaration, body: Node, inner: Locals, is_deployed: bool) -> Resource:
            deployed = is_deployed and parent.is_deployed
            return self._one_resource(declared, body, {**local, **inner}, deployed, parent)

        # A nested resource may speak of its parent by name: `app.properties.defaultHostName`.
        name = next((name for name, one in self._declared.items() if one.place == parent.place), "")
        if self._made.get(name) is _UNFINISHED:
            self._made[name] = parent
        self._children[id(parent), nested.name] = self._each(nested, make)

    def _kind(self, declared: Declaration, within: Resource | None) -> tuple[str, str]:
        kind, _, version = str(declared.target).partition("@")
        if within is not None:
            kind, version = f"{within.kind}/{kind}", version or within.version
        self.schemas.check_version(kind, version, declared.place)
        return kind, version

    def _body(
        self, declared: Declaration, body: Node, made: Resource, local: Locals
    ) -> dict[str, Any]:
        held: dict[str, Any] = {}
        for key, node in body.entries:
            name = str(key.value)
            if name == "dependsOn":
                self._depends(node, local)
            elif name not in _META:
                held[name] = self._evaluator.value(node, local)
                made.body = held
        shown = {**held, "name": made.name.rpartition("/")[2]}
        for code, text in self.schemas.problems(made.kind, plain(shown)):
            self._plan.problems.append(Problem(code=code, text=text, place=declared.place))
        return held

    def _depends(self, node: Node, local: Locals) -> None:
        for part in node.parts if node.kind == "array" else ():
            found = self._evaluator.value(part, local)
            if not isinstance(found, Resource | Module | list):
                raise BicepError("type", "dependsOn names resources and modules", part.place)

    def _resource_in(self, node: Node, local: Locals) -> Resource:
        found = self._evaluator.value(node, local)
        if not isinstance(found, Resource):
            raise BicepError("type", "parent and scope are resources", node.place)
        return found

    def _start(self, node: Node, local: Locals) -> str:
        """A text that must be known before anything is deployed."""
        found = self._evaluator.value(node, local)
        if not isinstance(found, str) or not found:
            raise BicepError("type", f"the name is {found!r}", node.place)
        if isinstance(found, Runtime):
            raise BicepError("runtime", "the name is known only after deployment", node.place)
        return found

    def _one_module(
        self, declared: Declaration, body: Node, local: Locals, is_deployed: bool
    ) -> Module:
        entries = body.members
        for name in entries:
            if name not in _MODULE_PROPERTIES:
                raise BicepError("property", f"a module has no {name}", entries[name].place)
        name = self._start(entries["name"], local) if "name" in entries else declared.name
        path = self.path.parent / str(declared.target)
        try:
            file = self._sources.file(path)
        except OSError:
            raise BicepError("file", f"there is no {declared.target}", declared.place) from None
        made = Module(name=name, place=declared.place, is_deployed=is_deployed)
        given = entries.get("params")
        check_given(file, {} if given is None else given.members, declared)
        if "dependsOn" in entries:
            self._depends(entries["dependsOn"], local)
        if not is_deployed:
            return made
        scope = self._module_scope(file, entries.get("scope"), local, declared)
        params = entries.get("params")
        given = {} if params is None else self._evaluator.value(params, local)
        self._plan.seen.add((self.path, declared.name))
        run = Deployment(
            file,
            known(given),
            scope=scope,
            schemas=self.schemas,
            sources=self._sources,
            plan=self._plan,
        )
        made.outputs = later(run.deploy())
        return made

    def _module_scope(
        self, file: File, node: Node | None, local: Locals, declared: Declaration
    ) -> str:
        scope = self._scope
        if node is not None:
            scope = scope_of(self._evaluator.value(node, local), node.place)
        check_scope(file, scope, declared.place)
        return scope
