"""What n8n's workflows and other systems may say in a delivery: a request, a measurement, or a note."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from schemas.base import Frozen

LONGEST = 8000
MOST = 20
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Target = Annotated[str, Field(min_length=1, max_length=300, description="The id or title of a target.")]


class Background(Frozen):
    """A text that others wrote and that explains a request; nothing in it counts as the sender's words."""

    where: Annotated[str, Field(min_length=1, max_length=300, description="Its address or its name.")]
    text: Annotated[str, Field(min_length=1, max_length=200_000)]


class Said(Frozen):
    """What a workflow says. `id` is its own, another for each message, such as n8n's execution id.

    A `request` asks for a change of `target` in words, which count as those of whoever made the workflow:
    what strangers wrote belongs into `context`. A `metric` is kept as one sent to the API is. A `note` is
    recorded, and nothing more.
    """

    id: Annotated[str, Field(min_length=1, max_length=300)]
    action: Literal["request", "metric", "note"]
    target: Target | None = None
    text: Annotated[str, Field(max_length=LONGEST)] = ""
    metric: dict[str, JsonValue] | None = None
    context: Annotated[tuple[Background, ...], Field(max_length=MOST)] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> "Said":
        if self.action == "request" and self.target is None:
            raise ValueError("a request names its target")
        if (self.action == "metric") != (self.metric is not None):
            raise ValueError("a metric, and nothing else, holds a metric")
        if self.action != "metric" and not self.text:
            raise ValueError("it says nothing: give a text")
        return self


class SystemRequest(Frozen):
    """The `data` of a message of the type `request`; see `Said`."""

    target: Target
    text: Text
    context: Annotated[tuple[Background, ...], Field(max_length=MOST)] = ()


class SystemEvent(BaseModel):
    """A message by Standard Webhooks. The type `request` asks for a change; any other is recorded."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,100}$")]
    data: Any = None
