#!/bin/sh
# Turns every script here into a C string constant, sorted by name, for
# ngx_http_im_script.c.  Comments and indentation stay out: Redis keeps the
# text in memory, and a shorter script loads faster.

for f in "$1"/*.lua; do
    name=$(basename "$f" .lua)
    printf 'static const char  ngx_http_im_script_%s[] =\n' "$name"
    sed -e 's/^ *//' -e '/^--/d' -e '/^$/d' -e 's/\\/\\\\/g' \
        -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$f"
    printf '    ;\n\n'
done
