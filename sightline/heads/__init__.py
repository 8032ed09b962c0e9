"""What a task supplies: targets, loss, score, decoding of answers. Only this room knows which tasks there are."""
