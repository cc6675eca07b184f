"""The gateway: what people and other systems reach over HTTP."""
