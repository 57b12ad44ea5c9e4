"""How pydantic, and FastAPI with it, validates and serializes the values of this package.

Only pydantic causes the import of this module: the package does not depend on it.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import core_schema as schemas


def core_schema(cls: type[Any]) -> schemas.CoreSchema:
    """An instance of the class, or a dict where the class can be made from one. It is serialized as
    what `to_dict` returns."""
    if not hasattr(cls, "to_dict"):
        return schemas.is_instance_schema(cls)
    # The service's own JSON may be of any type.
    is_raw = "raw" in getattr(cls, "__slots__", ())
    json = schemas.any_schema() if is_raw else schemas.dict_schema(schemas.str_schema())
    serialized = schemas.plain_serializer_function_ser_schema(cls.to_dict, return_schema=json)
    if not hasattr(cls, "from_dict"):
        return schemas.is_instance_schema(cls, serialization=serialized)
    made = schemas.no_info_after_validator_function(cls.from_dict, json)
    return schemas.json_or_python_schema(
        json_schema=made,
        python_schema=schemas.union_schema([schemas.is_instance_schema(cls), made]),
        serialization=serialized,
    )


def generation_json_schema() -> dict[str, Any]:
    """The JSON schema of a generation. Only `id` and `status` are always there."""
    text, number = ({"anyOf": [{"type": name}, {"type": "null"}]} for name in ("string", "integer"))
    optional = {
        "model": text,
        "engine": text,
        "provider": text,
        "created_at": number,
        "output_video_url": text,
        "usage": {},
        "error": {},
        "latency_ms": number,
        "output": {},
    }
    return {
        "title": "Generation",
        "type": "object",
        "properties": {"id": {"type": "string"}, "status": {"type": "string"}, **optional},
        "required": ["id", "status"],
        "additionalProperties": True,
    }
