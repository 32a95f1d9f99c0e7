# A Redis that closes connections at replies that calls may need: said once for
# a store, with what to do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

# sites, each with a store of the same name
sub site {
    my ($redis, %opt) = @_;
    return Test::IM->new(store => 'server unix:{{sock}}; connections 3;', %opt,
                         redis_args => $redis)->start;
}

sub warned {
    my ($t) = @_;
    my @lines = $t->error_log =~ /\[warn\][^\n]* (im store "[^\n]*closes connections[^\n]*)/g;
    return @lines;
}

sub works {
    my ($t, $name) = @_;
    ok($t->poll(5, sub { $t->post('/im/unread', { from_id => 'ann' })->status == 200 }),
       "$name: used");
}

# makes all connections anew
sub reconnect {
    my ($t) = @_;
    $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
    works($t, 'again');
}


# --- too low: one line, however often connections are made

{
    my $t = site([ '--client-output-buffer-limit', 'normal 1mb 0 0' ]);
    works($t, '1 MB');
    my @w = warned($t);
    is(@w, 1, 'one line');
    like($w[0], qr/im store "store": (?:unix:\S+|127\.0\.0\.1:\d+) closes connections at replies of more than 1048576 bytes, /,
         'the store, the server and the limit');
    like($w[0], qr/may have (?!1048576\b)\d{8}; set "client-output-buffer-limit normal 0 0 0"/,
         'what may be needed, and what to do');
    reconnect($t) for 1 .. 3;
    is(scalar(warned($t)), 1, 'still one');

    $t->redis('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 0 0 0');
    reconnect($t);
    $t->redis('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 2mb 0 0');
    reconnect($t);
    ok($t->poll(5, sub { warned($t) == 2 }), 'one more when it is lowered again')
        or diag(join "\n", warned($t));
    $t->done(qr/lost the connection|closes connections/);
}


# --- high enough, or enough for the messages that are allowed

for my $row ([ 'no limit', 'normal 0 0 0' ], [ '64 MB', 'normal 64mb 0 0' ],
             [ 'a limit for others', 'pubsub 1mb 1mb 60' ],
             [ '1 MB, short messages', 'normal 1mb 0 0',
               conf_im => 'im_max_message_size 1k; im_page_size_max 100; im_list_max 100;' ]) {
    my ($name, $limit, %opt) = @$row;
    my $t = site([ '--client-output-buffer-limit', $limit ], %opt);
    works($t, $name);
    reconnect($t);
    is(scalar(warned($t)), 0, "$name: nothing is said");
    $t->done(qr/lost the connection/);
}


# --- CONFIG is refused: nothing is known, and nothing is said

for my $row ([ 'by the ACL', '+@all -config' ], [ 'by the ACL, but for others', '+@all -config +config|set' ]) {
    my ($name, $rights) = @$row;
    my $t = site([ '--client-output-buffer-limit', 'normal 1mb 0 0',
                   '--user', qw(im on >x ~im:*), split(' ', $rights) ],
                 store => 'server unix:{{sock}}; username im; password x;');
    works($t, $name);
    is(scalar(warned($t)), 0, 'nothing is said');
    $t->done;
}

{
    my $t = site([ '--client-output-buffer-limit', 'normal 1mb 0 0',
                   '--rename-command', 'CONFIG', '' ]);
    works($t, 'CONFIG is not there');
    is(scalar(warned($t)), 0, 'nothing is said');
    $t->done;
}

done_testing;
