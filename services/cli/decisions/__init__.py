"""What a person sees of improvements, and decides about them."""
