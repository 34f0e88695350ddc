"""The fake of the OpenAI API. Responses, embeddings and the other endpoints will be modules of their own."""
