# docs/demo: what its files are made of, and im.js with calls and streams that
# t/demo/client.mjs plays.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;
use Test::IM::Node;

my $dir = "$Test::IM::ROOT/docs/demo";
my %file = map { m{([^/]+)$} ? ($1 => slurp($_)) : () } glob "$dir/*.{html,css,js,md}";


# --- the files

cmp_ok(lines($file{'im.js'}), '<=', 400, 'im.js has at most 400 lines');

for my $name (sort grep { !/\.md$/ } keys %file) {
    my $text = $file{$name};
    is_deeply([ grep { length > 100 || /\t|\s$/ } split /\n/, $text ], [],
              "$name: columns, tabs, blanks");
    unlike($text, qr{(?:https?:)?//[a-z]}i, "$name: nothing of elsewhere");
    unlike($text, qr/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(/,
           "$name: texts are no markup");
}

for my $name (grep { /\.html$/ } sort keys %file) {
    my $text = $file{$name};
    unlike($text, qr/\s(?:on\w+|style)=/, "$name: nothing that the policy refuses");
    unlike($text, qr/<script(?![^>]*\ssrc=)|<style/, "$name: nothing inline");
    like($text, qr/<html lang="en"/, "$name: a language");
    like($text, qr/name="viewport"/, "$name: for phones");
    my %seen;
    is_deeply([ grep { $seen{$_}++ } $text =~ /\bid="([^"]+)"/g ], [], "$name: ids are unique");
}

like($file{'demo.css'}, qr/prefers-color-scheme: dark/, 'light and dark');


# --- README.md has all that im.js offers

my ($list) = $file{'im.js'} =~ /^const EVENTS = \[(.*?)\]/m;
my @events = grep { !/^(?:ready)$/ } $list =~ /'(\w+)'/g;
push @events, $file{'im.js'} =~ /#emit\('(\w+)'/g;

ok($file{'README.md'} =~ /^\| `\Q$_\E` /m, "README.md has the event $_")
    for do { my %h; grep { !$h{$_}++ } @events };

my @public = grep { !/^(?:constructor|handleEvent|if|for|function)$/ }
             $file{'im.js'} =~ /^    (?:async |get )?([a-z]\w*)(?:\(.*\)) \{/mg;
cmp_ok(@public, '>', 8, 'methods');
like($file{'README.md'}, qr/`$_[(`]/, "README.md has $_") for @public;

for my $link ($file{'README.md'} =~ /\]\(([^)\s#]+)/g) {
    ok(-e "$dir/$link", "README.md: $link leads somewhere") if $link !~ /^http/;
}


# --- im.js

my $why = Test::IM::Node::missing();

SKIP: {
    skip $why, 1 if $why;
    my $t = Test::IM->new(redis => 0);
    my %module = map { ($_ => Test::IM::Node::module($t, $_)) } qw(im demo);

    for (sort keys %module) {
        my $out = $t->run('node', '--check', $module{$_});
        is($out, '', "$_.js: syntax");
    }

    Test::IM::Node::run('client.mjs', 60, [ $module{im} ]);
    $t->cleanup;
}

done_testing;


sub lines { return scalar(my @l = split /\n/, $_[0]) }
