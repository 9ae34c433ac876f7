"""The page that shows every script of the gallery in every style, beside torchviz's picture of it."""
