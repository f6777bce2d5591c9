from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """A structured result, whose members are named as JavaScript names them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
