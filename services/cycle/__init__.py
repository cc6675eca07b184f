"""One improvement cycle as a person sees it: asked for, followed, told."""
