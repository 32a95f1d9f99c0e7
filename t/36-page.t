# Pages: sizes, ends, drift, depth.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(log_format => '$im_call $im_store_commands')->start;

my $conv = $t->say(ann => 'bob', 'm1')->conv_id;
$t->say($_ % 3 ? ('ann', 'bob') : ('bob', 'ann'), "m$_") for 2 .. 25;

sub texts { $t->texts($t->page($conv, @_)) }
sub texts_of { [ map { "m$_" } @_ ] }

is_deeply(texts(), texts_of(reverse 16 .. 25), 'page 1 of 10 by default');
is_deeply(texts(page_no => 1), texts_of(reverse 16 .. 25), 'page_no alone');
is_deeply(texts(page_no => 2), texts_of(reverse 6 .. 15), 'page 2');
is_deeply(texts(page_no => 3), texts_of(reverse 1 .. 5), 'the last, shorter');
is_deeply(texts(page_no => 4), [], 'past the end');
is_deeply(texts(page_no => 1000), [], 'far past it');
is_deeply(texts(page_size => 25), texts_of(reverse 1 .. 25), 'all on one page');
is_deeply(texts(page_size => 25, page_no => 2), [], 'nothing after it');
is_deeply(texts(page_size => 200), texts_of(reverse 1 .. 25), 'fewer than asked');
is_deeply(texts(page_size => 1, page_no => 25), texts_of(1), 'the oldest');

for my $size (1, 2, 3, 7, 24, 25, 26) {
    my @all = map { @{ texts(page_size => $size, page_no => $_) } }
              1 .. int(24 / $size) + 2;
    is_deeply(\@all, texts_of(reverse 1 .. 25), "pages of $size make up the whole");
}

is_deeply($t->pair('ann', 'bob', page_no => 2, page_size => 7),
          $t->page($conv, page_no => 2, page_size => 7),
          'from/to has the same pages');
is_deeply($t->texts($t->pair('bob', 'ann')), texts_of(reverse 16 .. 25),
          'and the same default');
is_deeply($t->pair('bob', 'ann', page_no => 4), [], 'past the end');

my $group = $t->group(ann => ['bob']);
is($t->call("/im/conv/$group", {})->body, '[]', 'no messages');
is($t->call("/im/conv/$group", { from_id => 'ann' })->body, '[]',
   'no messages, with a viewer');


# --- a page is counted from the newest message of its moment

my $two = texts(page_size => 5, page_no => 2);
$t->say(ann => 'bob', 'm26');
is_deeply(texts(page_size => 5, page_no => 2), texts_of(reverse 17 .. 21),
          'one more message moves pages by one');
$t->say(ann => 'bob', "m$_") for 27 .. 30;
is_deeply(texts(page_size => 5, page_no => 3), $two,
          'a page of messages moves them by one page');


# --- 5000 messages: every page is right, and costs what the first costs

my $deep = $t->say(ann => 'eve', 'm1')->conv_id;
my $c = $t->connect;
for my $from (map { $_ * 100 } 0 .. 49) {   # pipelined, for speed
    my @n = grep { $_ > 1 } $from + 1 .. $from + 100;
    $c->send(join '', map {
        my $body = '{"from_id":"ann","to_id":"eve","msg":"m' . $_
                 . '","msg_type":0}';
        "POST /im/send/msg HTTP/1.1\r\nHost: x\r\nContent-Length: "
            . length($body) . "\r\n\r\n$body" } @n);
    $c->read_response->status == 200 or die for @n;
}

$conv = $deep;
for my $n (1, 2, 50, 250, 499, 500) {
    my $last = 5000 - 10 * ($n - 1);
    is_deeply(texts(page_no => $n), texts_of(reverse $last - 9 .. $last), "page $n");
}
is_deeply(texts(page_no => 25, page_size => 200), texts_of(reverse 1 .. 200),
          'the last of 200');
is_deeply(texts(page_no => 501), [], 'past the end');
is($t->unread('eve'), 5000, 'all unread');

my %cost;
for my $n (1, 500) {
    $t->redis('CONFIG', 'RESETSTAT');
    $t->page($deep, page_no => $n) for 1 .. 200;
    my %stat = map { /^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/ ? ($1 => $3) : ()
                   } split /\r\n/, $t->redis('INFO', 'commandstats');
    delete @stat{ grep { /^config|^info|^echo/ } keys %stat };
    $cost{$n} += $_ for values %stat;
}
ok($cost{500} < 4 * $cost{1} + 2000, 'the last page costs what the first costs')
    or diag("usec for 200 pages: first $cost{1}, last $cost{500}");

my @commands = map { /^conv_page (\d+)/ } split /\n/, $t->access_log;
ok(@commands > 400, 'commands are logged');
is(scalar(grep { $_ > 6 } @commands), 0, 'a handful of commands for any page');

run_blocks($t, undef, { conv => $deep });
$t->done;
done_testing;

__DATA__
=== page 0
--- call
/im/conv/{{conv}}
--- json
{"page_no":0}
--- code
bad_request
--- error_like
page_no

=== a page before the first
--- call
/im/from/to
--- json
{"from_id":"ann","to_id":"eve","page_no":-1}
--- code
bad_request
--- error_like
page_no

=== no size
--- call
/im/conv/{{conv}}
--- json
{"page_no":1,"page_size":0}
--- code
bad_request
--- error_like
page_size

=== beyond im_page_size_max
--- call
/im/conv/{{conv}}
--- json
{"page_no":1,"page_size":201}
--- code
bad_request
--- error_like
page_size

=== a number in a string
--- call
/im/conv/{{conv}}
--- json
{"page_no":"1"}
--- code
bad_request
--- error_like
page_no

=== half a page
--- call
/im/conv/{{conv}}
--- json
{"page_no":1.5}
--- code
bad_request
--- error_like
page_no

=== past the end of a conversation of two that is not there
--- call
/im/from/to
--- json
{"from_id":"eve","to_id":"fay","page_no":9}
--- answer
[]
