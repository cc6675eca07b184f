"""Who may do what: tokens, sessions, rights."""
