"""How a target migrates its database, and trials of it on a scratch one."""
