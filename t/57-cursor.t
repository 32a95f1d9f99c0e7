# Pages by cursors: before and after a message, newest first in both, the same
# whatever arrives meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(workers => 2,
    conf_server => <<'CONF',
        location /who/ { im_pass store; im_user $http_x_user; }
        location /quiet/ { im_pass store; im_read_on_fetch off; }
CONF
    log_format => '$im_call $im_store_commands')->start;

my $conv = $t->say(ann => 'bob', 'm1')->conv_id;
$t->say($_ % 3 ? ('ann', 'bob') : ('bob', 'ann'), "m$_") for 2 .. 25;
my $group = $t->group(ann => [qw(bob cid)]);
$t->say_in(($_ % 3 ? 'ann' : 'bob') => $group, "m$_") for 1 .. 25;
my $empty = $t->group(ann => ['bob']);

sub texts_of { [ map { "m$_" } @_ ] }


# --- what a cursor gives, in a 1:1 by both calls and in a group

my %way = (
    '1:1'     => sub { $t->page($conv, @_) },
    'from/to' => sub { $t->pair('bob', 'ann', @_) },
    'group'   => sub { $t->page($group, @_) },
);

for my $way (sort keys %way) {
    my $page = $way{$way};
    my @id = (undef, map { $_->{msg_id} } reverse @{ $page->(page_size => 25) });
    my $texts = sub { $t->texts($page->(@_)) };

    is_deeply($texts->(before => $id[20]), texts_of(reverse 10 .. 19), "$way: before, 10 by default");
    is_deeply($texts->(after => $id[3]), texts_of(reverse 4 .. 13), "$way: after");
    is_deeply($texts->(after => ''), texts_of(reverse 1 .. 10), "$way: after nothing");
    is_deeply($texts->(after => '', page_size => 1), texts_of(1), "$way: the first");
    is_deeply($texts->(before => $id[1]), [], "$way: before the first");
    is_deeply($texts->(after => $id[25]), [], "$way: after the last");
    is_deeply($texts->(before => $id[25], page_size => 1), texts_of(24), "$way: the last but one");
    is_deeply($texts->(after => $id[24], page_size => 1), texts_of(25), "$way: the last");
    is_deeply($texts->(before => $id[25], page_size => 200), texts_of(reverse 1 .. 24), "$way: all before");
    is_deeply($texts->(after => $id[1], page_size => 200), texts_of(reverse 2 .. 25), "$way: all after");
    is_deeply($page->(before => $id[11], page_size => 10), $page->(after => '', page_size => 10),
              "$way: whole messages, the same either way");
    for my $size (1, 2, 7, 24, 25, 26) {
        my (@down, @up);
        my $part = $page->(page_size => $size);
        while (@$part) {
            push @down, @{ $t->texts($part) };
            $part = $page->(before => $part->[-1]{msg_id}, page_size => $size);
        }
        is_deeply(\@down, texts_of(reverse 1 .. 25), "$way: $size at a time, down");
        $part = $page->(after => '', page_size => $size);
        while (@$part) {
            unshift @up, @{ $t->texts($part) };
            $part = $page->(after => $part->[0]{msg_id}, page_size => $size);
        }
        is_deeply(\@up, texts_of(reverse 1 .. 25), "$way: $size at a time, up");
    }
}

is_deeply($t->page($empty, after => ''), [], 'after nothing, where nothing is');
is_deeply($t->pair('x1', 'x2', after => ''), [], 'and where no conversation is');


# --- reading

sub unread_after {
    my ($base, $path, $user, %body) = @_;
    $t->redis('HSET', "im:{c:$group}:g", $user, 5);
    $t->call("/$base/$path", { from_id => $user, %body });
    return $t->unread_in($user, $group);
}

my @g = (undef, map { $_->{msg_id} } reverse @{ $t->page($group, page_size => 25) });
is(unread_after('im', "conv/$group", 'cid', before => $g[20]), 20, 'before reads nothing');
is(unread_after('im', "conv/$group", 'cid', before => $g[25]), 20, 'nor before the last');
is(unread_after('im', "conv/$group", 'cid', after => $g[9], page_size => 3), 13,
   'after: up to the newest message returned');
is(unread_after('im', "conv/$group", 'cid', after => $g[2], page_size => 2), 20, 'and never back');
is(unread_after('im', "conv/$group", 'cid', after => $g[25]), 20, 'nothing returned, nothing read');
is(unread_after('im', "conv/$group", 'cid', after => '', page_size => 7), 18, 'after nothing');
is(unread_after('quiet', "conv/$group", 'cid', after => $g[9]), 20, 'not with im_read_on_fetch off');
$t->redis('HSET', "im:{c:$group}:g", 'cid', 5);
$t->call("/im/conv/$group", { after => $g[20] });
is($t->unread_in('cid', $group), 20, 'and not without a viewer');

{
    my ($x, $y) = fresh();
    my @id = map { $t->say($x => $y, "m$_")->msg_id } 1 .. 6;
    $t->pair($y, $x, before => $id[5]);
    is($t->unread($y), 6, 'from/to: before reads nothing');
    $t->pair($y, $x, after => $id[1], page_size => 2);
    is($t->unread($y), 2, 'from/to: after does');
}


# --- a recalled message is a place like others

my @m = (undef, map { $_->{msg_id} } reverse @{ $t->page($group, page_size => 25) });
$t->recall(ann => $group, $m[11]);
is_deeply($t->texts($t->page($group, before => $m[11], page_size => 2)), texts_of(10, 9), 'before it');
is_deeply($t->texts($t->page($group, after => $m[11], page_size => 2)), texts_of(13, 12), 'after it');
is_deeply($t->texts($t->page($group, after => $m[9], page_size => 2)), [ '', 'm10' ], 'it');


# --- what it costs: no round trip more than a page

# (profiles are at hand for less than a second)

{
    my $cost = sub {
        my $old = () = $t->access_log =~ /^conv_page/mg;
        $t->page($group, page_no => 2);
        $t->page($group, before => $m[20]);
        $t->page($group, after => $m[20]);
        my @n;
        $t->poll(3, sub { @n = map { /^conv_page (\d+)/ } split /\n/, $t->access_log; @n >= $old + 3 });
        return "@n[-2, -1]";
    };
    my $n;
    $t->poll(5, sub { ($n = $cost->()) eq '2 2' });
    is($n, '2 2', 'head and rows');
}


# --- a walk under four writers, in both directions

for my $where ($conv, $group) {
    my @start = map { $_->{msg_id} } @{ $t->page($where, page_size => 200) };
    my %start = map { $_ => 1 } @start;
    my (@pid, @wrong);
    for my $k (1 .. 4) {
        my $pid = fork;
        if (!$pid) {
            my $c = $t->connect;
            $t->post('/im/send/msg', body($k % 2 ? 'ann' : 'bob', '', "w$k.$_",
                     conv_id => $where), conn => $c) for 1 .. 150;
            POSIX::_exit(0);
        }
        push @pid, $pid;
    }
    my $walks = 0;
    while (waitpid($pid[0], POSIX::WNOHANG()) == 0 || $walks < 5) {
        $walks++;
        my @down = my $newest = $t->page($where, page_size => 1)->[0]{msg_id};
        my @up;
        while (my @part = @{ $t->page($where, before => $down[-1], page_size => 3) }) {
            push @down, map { $_->{msg_id} } @part;
        }
        while (my @part = @{ $t->page($where, after => $up[0] // '', page_size => 3) }) {
            unshift @up, map { $_->{msg_id} } @part;
            last if grep { $_ eq $newest } @part;
        }
        push @wrong, 'down' if "@{[ grep { $start{$_} } @down ]}" ne "@start";
        push @wrong, 'up' if "@{[ grep { $start{$_} } @up ]}" ne "@start";
        shift @up while @up && $up[0] ne $newest;
        push @wrong, 'not the same' if "@up" ne "@down";
    }
    waitpid $_, 0 for @pid[1 .. 3];
    is("@wrong", '', "$walks walks, each message once, in order");
    is((split /-/, $t->page($where)->[0]{msg_id})[0], 625, 'while others were writing');
}

my %vars = (conv => $conv, group => $group, empty => $empty,
            id => $t->page($conv)->[0]{msg_id}, gid => $m[3]);
run_blocks($t, undef, \%vars);

$t->done;
done_testing;

__DATA__
=== both
--- call
/im/conv/{{conv}}
--- json
{"before":"{{id}}","after":"{{id}}"}
--- code
bad_request
--- error_like
before
after

=== before, with page_no
--- call
/im/conv/{{conv}}
--- json
{"before":"{{id}}","page_no":1}
--- code
bad_request
--- error_like
page_no

=== after the beginning, with page_no
--- call
/im/from/to
--- json
{"from_id":"ann","to_id":"bob","after":"","page_no":1}
--- code
bad_request
--- error_like
page_no

=== before and after the beginning
--- call
/im/from/to
--- json
{"from_id":"ann","to_id":"bob","after":"","before":"{{id}}"}
--- code
bad_request

=== before nothing
--- call
/im/conv/{{conv}}
--- json
{"before":""}
--- code
bad_request
--- error_like
before

=== too long
--- call
/im/conv/{{conv}}
--- json
{"after":"{{1 129}}"}
--- code
bad_request
--- error_like
after

=== of another type
--- call
/im/conv/{{conv}}
--- json
{"after":7}
--- code
bad_request
--- error_like
after

=== before a message of another conversation
--- call
/im/conv/{{conv}}
--- json
{"before":"{{gid}}","from_id":"ann"}
--- code
msg_not_found

=== after a message of another conversation
--- call
/im/conv/{{conv}}
--- json
{"after":"{{gid}}","from_id":"ann"}
--- code
msg_not_found

=== before a message yet to come
--- call
/im/conv/{{group}}
--- json
{"before":"9999-0123456789abcdef"}
--- code
msg_not_found

=== after a message yet to come
--- call
/im/conv/{{group}}
--- json
{"after":"9999-0123456789abcdef"}
--- code
msg_not_found

=== before what is no id
--- call
/im/conv/{{group}}
--- json
{"before":"x"}
--- code
msg_not_found

=== after what is no id
--- call
/im/conv/{{group}}
--- json
{"after":"x"}
--- code
msg_not_found

=== after message 0
--- call
/im/conv/{{group}}
--- json
{"after":"0-0123456789abcdef"}
--- code
msg_not_found

=== before the beginning of an id
--- call
/im/conv/{{group}}
--- json
{"before":"3"}
--- code
msg_not_found

=== after a number
--- call
/im/conv/{{group}}
--- json
{"after":"1e1-0123456789abcdef"}
--- code
msg_not_found

=== in a group without messages
--- call
/im/conv/{{empty}}
--- json
{"before":"{{gid}}"}
--- code
msg_not_found

=== a pair without a conversation, before
--- call
/im/from/to
--- json
{"from_id":"x1","to_id":"x2","before":"{{id}}"}
--- code
msg_not_found

=== a pair without a conversation, after
--- call
/im/from/to
--- json
{"from_id":"x1","to_id":"x2","after":"{{id}}"}
--- code
msg_not_found

=== from/to, of another conversation
--- call
/im/from/to
--- json
{"from_id":"ann","to_id":"bob","after":"{{gid}}"}
--- code
msg_not_found

=== no such conversation
--- call
/im/conv/nosuch
--- json
{"after":"{{id}}"}
--- code
conv_not_found

=== a stranger
--- call
/im/conv/{{conv}}
--- json
{"after":"{{id}}","from_id":"eve"}
--- code
not_member

=== a stranger learns of no message
--- call
/im/conv/{{conv}}
--- json
{"after":"{{gid}}","from_id":"eve"}
--- code
not_member

=== a stranger who is known learns of no 1:1
--- call
/who/conv/{{conv}}
--- request_header
X-User: eve
--- json
{"after":"{{id}}"}
--- code
conv_not_found

=== page_size is limited as ever
--- call
/im/conv/{{conv}}
--- json
{"after":"","page_size":201}
--- code
bad_request
--- error_like
page_size

=== after with a page_size of none
--- call
/im/conv/{{conv}}
--- json
{"after":"","page_size":0}
--- code
bad_request
--- error_like
page_size
