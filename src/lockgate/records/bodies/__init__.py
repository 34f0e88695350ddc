"""Requests and answers: cut into parts that are kept once, compressed, and put together again byte for byte."""
