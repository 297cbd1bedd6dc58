"""A local web page on which small networks train: fastnn playground.

What flows where: `settings` reads an address, `data` makes its samples and `images` those that are
digits; `models` names the estimator, `runs` trains it to any epoch and back, `race` does so on
several back ends; `frames` makes a picture of where a run is, `programs` and `exports` what a user
takes along. `session` is one open page: it answers messages, and `server` brings them, checks
where they are from, and serves the files of `static`; `commands` starts it.

A page is a function of its address: settings and epoch say all, and training is exact, so the
server trains when asked, for a few hundredths of a second, and never by itself.
"""
