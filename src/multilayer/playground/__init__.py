"""The playground: a page in the browser on which a network learns, by the package's own loop.

``mlp playground`` serves it. It needs the extra ``playground``.
"""
