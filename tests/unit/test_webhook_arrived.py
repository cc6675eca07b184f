"""What a delivery of n8n's is taken to be."""

import pytest

from services.gateway.webhooks.arrived import Unfit, from_n8n

SAID = b'{"id": "exec-17", "action": "note", "text": "done"}'


@pytest.mark.parametrize("workflow", ["Kx3bV", "3f-9_a:b", "a.b", "x" * 100])
def test_a_workflow_has_an_id_of_letters_digits_and_few_marks(workflow: str) -> None:
    assert from_n8n(workflow, SAID, former=False).event == workflow


@pytest.mark.parametrize("workflow", ["", "a/b", "..", ".", "../up", ".hidden", "a b", "ü", "x" * 101])
def test_a_path_is_no_id_of_a_workflow(workflow: str) -> None:
    with pytest.raises(Unfit, match="holds other than letters, digits"):
        from_n8n(workflow, SAID, former=False)
