"""The deployer: moves the release branch, checks health, takes changes back."""
