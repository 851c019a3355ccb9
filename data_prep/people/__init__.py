"""Small synthetic people: looks, skeleton, ray-cast parts, the exact flow of a pair."""
