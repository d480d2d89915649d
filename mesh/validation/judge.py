"""The judge: everything that is wrong with one record, in words for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from mesh.model.pointers import pointer_of
from mesh.validation.fast_csv import is_plain
from mesh.validation.faults import Fault
from mesh.validation.field_judge import FieldJudge
from mesh.validation.fixes import fix_of
from mesh.validation.plan import Plan
from mesh.validation.report import MASK
from mesh.validation.sentences import field_path, sentence, shown

_OPTIONS = frozenset(
    {
        "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties",
        "maxProperties",
    }
)  # fmt: skip
_OPTION_OF = {
    "dateTimeFormat": "format",
    "formatMinimum": "minimum",
    "formatMaximum": "maximum",
    "formatExclusiveMinimum": "exclusiveMinimum",
    "formatExclusiveMaximum": "exclusiveMaximum",
}
_MOMENTS = frozenset({"date", "timestamp", "time"})
"""Types whose format, where there is no layout, is in the type itself."""
_UNKNOWN = "additionalProperties"
_ELEMENTS = {"type": "logicalType", "required": "required", "enum": "enum"}


class Judge:
    """Judges records of one plan with the reference validator.

    Args:
        plan: The contract.
        fast: Whether fields whose values are good for certain may be left out.
    """

    def __init__(self, plan: Plan, *, fast: bool = True) -> None:
        self._plan = plan
        self._sensitive = plan.sensitive
        self._paths: dict[tuple[Any, ...], str] = {}
        if "validator" not in plan.compiled:
            from mesh.validation.reference import record_validator

            plan.compiled["validator"] = record_validator(plan.record)
        self._validator = plan.compiled["validator"]
        self._fields = None
        if fast and is_plain(plan):
            self._fields = FieldJudge(plan, self._validator, self._fault)

    @property
    def by_fields(self) -> bool:
        """Whether fields may be judged by themselves."""
        return self._fields is not None

    def faults(self, record: Any, *, most: int, odd: Collection[str] | None = None) -> list[Fault]:
        """All faults of one record (numbers as `int` and `Decimal`), at most so many.

        Args:
            record: All of it; or of its fields those, at least, that are odd.
            most: How many faults.
            odd: Of a plan without rules that span fields, the fields that may be bad or missing;
                None if any may.
        """
        try:
            found = self._fields.faults(record, odd) if self._fields else None
            if found is not None:
                return found[:most]
            errors = list(islice(self._validator.iter_errors(record), most))
        except RecursionError:
            return [self.fault("", "json", "The record is nested too deeply to be checked.")]
        return [self._fault(error, record) for error in errors]

    def fault(self, field: str, rule: str, message: str, value: str | None = None) -> Fault:
        """A fault that the reader of the format found."""
        return Fault(
            field=field, rule=rule, path=self.path(field, rule), value=value, message=message
        )

    def path(self, field: str, rule: str) -> str:
        """The pointer to a rule on a top-level field, or to the field when it has no such rule."""
        return self._pointer([field] if field else [], rule, ())

    def _fault(self, error: Any, record: Any) -> Fault:
        parts, rule = list(error.absolute_path), str(error.validator)
        missing = rule == "required"
        secret = bool(self._sensitive) and not self._is_open(parts)
        label = field_path(parts)
        value = error.instance[parts[-1]] if rule == _UNKNOWN else error.instance
        fix = None if secret else fix_of(error, self._accepts, self._plan.dialect)
        message = sentence(
            error, label, secret=secret, absent=missing and isinstance(record, dict), fix=fix
        )
        return Fault(
            field=label,
            rule=rule,
            path=self._path(parts, rule, error.absolute_schema_path),
            value=None if missing else MASK if secret else shown(value),
            message=message,
            fix=None if fix is None else shown(fix),
        )

    def _accepts(self, schema: Any, value: Any) -> bool:
        return bool(self._validator.evolve(schema=schema).is_valid(value))

    def _is_open(self, parts: Sequence[Any]) -> bool:
        """Whether the value at a path may be shown; an unknown field may be a misspelt secret."""
        return bool(parts) and parts[0] in self._plan.fields and parts[0] not in self._sensitive

    def _path(self, parts: Sequence[Any], rule: str, schema_path: Sequence[Any]) -> str:
        """The same, and remembered if a field itself is bad: there are no more than rules."""
        if len(parts) != 1 or parts[0] not in self._plan.fields:
            return self._pointer(parts, rule, schema_path)
        place = (parts[0], rule, *schema_path)
        known = self._paths.get(place)
        if known is None:
            known = self._paths[place] = self._pointer(parts, rule, schema_path)
        return known

    def _pointer(self, parts: Sequence[Any], rule: str, schema_path: Sequence[Any]) -> str:
        if not self._plan.is_odcs:
            return pointer_of(schema_path)
        field = self._plan.fields.get(str(parts[0])) if parts else None
        if field is None:
            return ""
        place = field.pointer
        if len(parts) > 1:
            missing = parts[-1:] if rule == "required" else ()
            place = self._plan.nested.get((*_way(schema_path), *missing), place)
        elif rule == "format" and field.logical_type in _MOMENTS:
            return f"{place}/logicalType"
        option = _OPTION_OF.get(rule, rule)
        if option in _OPTIONS:
            return f"{place}/logicalTypeOptions/{option}"
        return f"{place}/{_ELEMENTS[rule]}" if rule in _ELEMENTS else place


def _way(schema_path: Sequence[Any]) -> Iterator[str | None]:
    """The steps to the element that a rule is of, as `mesh.model.value_paths` has them."""
    keywords = iter(list(schema_path)[:-1])
    for keyword in keywords:
        if keyword == "properties":
            yield next(keywords, None)
        elif keyword in {"items", _UNKNOWN}:
            yield None
        else:
            return
