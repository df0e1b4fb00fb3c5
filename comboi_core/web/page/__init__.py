"""The monitor page: one self-contained HTML document that reads the API from the browser."""
