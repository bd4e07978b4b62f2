"""The tab *Explore*: searches over time, side by side, with the texts, words and topics behind them."""
