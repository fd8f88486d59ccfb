"""From tables to views: what each page says, without a word of HTML."""
