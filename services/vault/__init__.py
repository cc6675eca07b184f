"""Seals what is sensitive under a key for each subject, so that deleting a key makes its data unreadable."""
