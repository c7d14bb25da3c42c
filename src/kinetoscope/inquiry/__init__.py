"""From what is asked of units to an answer that is put to the test: responses, agreement, nothing found."""
