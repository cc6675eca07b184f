"""Takes what other systems deliver: signed, stored before it is answered, once however often it comes."""
