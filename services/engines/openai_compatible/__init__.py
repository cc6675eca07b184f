"""An engine behind any server that speaks OpenAI's chat completions.

Rules:
1. The key travels in the request's header and stands nowhere else: in no reason, transcript or answer.
2. What the server says is parsed strictly; what does not fit is a typed failure, never a guess.
3. A model reaches files by the four tools alone: inside the work tree, no link followed, never `.git`.
4. A model without a known price is not asked: no budget could hold it.
"""
