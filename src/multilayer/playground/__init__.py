"""The playground: a web page that shows a network while this package trains it.

``mlp playground`` serves the page; it requires the extra ``playground``.
"""
