# A recalled message keeps its place, and its text is nowhere: in no page and no
# list of any host, in no key.  Who may recall what, and until when.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Test::IM;

my $conf = <<'CONF';
        location /who/ { im_pass store; im_user $http_x_user; }
        location /full/ { im_pass store; im_reply full; }
        location /ever/ { im_pass store; im_recall_window 0; }
        location /never/ { im_pass store; im_recall_window off; }
        location /soon/ { im_pass store; im_recall_window 1ms; }
CONF

my $t = Test::IM->new(workers => 2, conf_server => $conf,
                      log_format => '$im_call $im_store_commands')->start;

# another host with the same store, and a cache of its own
my $far = Test::IM->new(redis => 0, store => $t->servers,
                        log_format => '$im_call $im_store_commands')->start;

# all keys that have a text anywhere
sub keys_with {
    my $text = shift;
    my @found;
    for my $key (@{ $t->redis('KEYS', '*') }) {
        my $type = $t->redis('TYPE', $key);
        my $v = $type eq 'string' ? [ $t->redis('GET', $key) ]
              : $type eq 'hash'   ? $t->redis('HGETALL', $key)
              : $type eq 'zset'   ? $t->redis('ZRANGE', $key, 0, -1)
              :                     $t->redis('SMEMBERS', $key);
        push @found, $key
            if grep { index($_, $text) >= 0 } @$v, $key, $t->redis('DUMP', $key);
    }
    return "@found";
}

sub commands {      # of the last page
    my $host = shift;
    my @l;
    $host->poll(2, sub { @l = map { /^conv_page (\d+)/ } split /\n/, $host->access_log });
    return $l[-1];
}

# expected of a conversation in the lists, of which there are two
my @list;

sub blank {
    my $conv = shift;
    $_->{conv_id} eq $conv and $_->{last_msg} = '' for map { @$_ } @list;
}

sub without { my %m = %{ $_[0] }; delete $m{msg}; return \%m }


# --- place, sequence, time and type stay; unread counts and order, too

my $ab = $t->say(ann => 'bob', 'one')->conv_id;
my $secret = 'very-secret-9f3c';
my $said = $t->say(ann => 'bob', $secret, msg_type => 3, client_msg_id => 'k');
$t->say(ann => 'bob', 'three');
my $gr = $t->group(ann => [qw(bob cid)]);
my $in = $t->say_in(bob => $gr, "in group $secret");

my $before = $t->page($ab);
@list = map { $t->list($_) } qw(ann bob);
my @unread = map { $t->unread($_) } qw(ann bob cid);
isnt(keys_with($secret), '', 'the text is in the store');

is($t->recall(ann => $ab, $said->msg_id)->body, '{}', 'recalled');
$before->[1]{msg} = '';
is_deeply($t->page($ab), $before, 'only its text is gone from the page');
is_deeply([ map { $t->list($_) } qw(ann bob) ], \@list, 'lists are as they were');
is_deeply([ map { $t->unread($_) } qw(ann bob cid) ], \@unread, 'unread, too');

my $last = $t->page($ab)->[0];
$t->recall(ann => $ab, $last->{msg_id});
is_deeply(without($t->page($ab)->[0]), without($last), 'the last one');
blank($ab);
is_deeply([ map { $t->list($_) } qw(ann bob) ], \@list, 'it has no text in lists, where all else stays');

$t->recall(bob => $gr, $in->msg_id);
is_deeply($t->texts($t->page($gr)), [''], 'in a group');
blank($gr);
is_deeply([ map { $t->list($_) } qw(ann bob) ], \@list, 'and in its list');
is_deeply([ map { $t->unread($_) } qw(ann bob cid) ], \@unread, 'still unread');

is(keys_with($secret), '', 'no key has the text any more');
is(keys_with('three'), '', 'nor that of the last message');

my $shot = $t->snapshot;
is($t->recall(ann => $ab, $said->msg_id)->body, '{}', 'again: {}');
is($t->recall(bob => $gr, $in->msg_id)->body, '{}', 'again in a group: {}');
is($t->recall(ann => $gr, $in->msg_id)->body, '{}', 'again by the owner: {}');
is($t->post('/soon/msg/recall', { from_id => 'ann', conv_id => $ab,
            msg_id => $said->msg_id })->body, '{}', 'again when it is late: {}');
is_deeply($t->snapshot, $shot, 'and nothing changes');


# --- the same send again

my $again = $t->say(ann => 'bob', $secret, msg_type => 3, client_msg_id => 'k');
is($again->msg_id, $said->msg_id, 'sent again: the first msg_id');
is($again->msg_time, $said->msg_time, 'and time');
is(scalar @{ $t->page($ab) }, 3, 'one message');
is(keys_with($secret), '', 'whose text is not stored again');
is_deeply($t->snapshot, $shot, 'nothing is');


# --- full answers

my $full = JSON::PP->new->utf8;
my $page = $full->decode($t->call("/full/conv/$ab", {})->body);
is_deeply([ map { $_->{recalled} ? 1 : 0 } @$page ], [ 1, 1, 0 ], 'recalled');
like($t->call("/full/conv/$ab", {})->body, qr/"seq":3,"recalled":true\}/, 'at its end');
is((() = $t->call("/full/conv/$ab", {})->body =~ /recalled/g), 2, 'only where it is true');
unlike($t->call("/im/conv/$ab", {})->body, qr/recalled/, 'and only there');
my ($entry) = grep { $_->{conv_id} eq $gr } @{ $full->decode($t->call('/full/conv/list', { from_id => 'bob' })->body) };
ok($entry->{recalled}, 'the last message of a list entry');
unlike($t->call('/im/conv/list', { from_id => 'bob' })->body, qr/recalled/, 'v1');
$t->say_in(cid => $gr, 'next');
($entry) = grep { $_->{conv_id} eq $gr } @{ $full->decode($t->call('/full/conv/list', { from_id => 'bob' })->body) };
ok(!exists $entry->{recalled}, 'until the next one');
is_deeply($t->texts($t->page($gr)), [ 'next', '' ], 'which follows as ever');


# --- rows at hand, on every host

my ($x, $y) = fresh();
my $xy = $t->say($x => $y, 'm1')->conv_id;
my @id = map { $t->say($x => $y, "m$_")->msg_id } 2 .. 12;
for my $n (10, 5, 0, 9, 1) {
    for my $host ($t, $far) {
        is($host->page($xy)->[0]{msg_id}, $id[-1], 'the page is at hand');
        $host->page($xy) for 1 .. 4;
        $host->poll(5, sub { $host->page($xy); commands($host) == 1 });
        is(commands($host), 1, 'one command');
    }
    my ($by, $other) = $n % 2 ? ($t, $far) : ($far, $t);
    $by->recall($x => $xy, $id[$n]);
    for my $host ($other, $by, $t, $far) {
        my ($m) = grep { $_->{msg_id} eq $id[$n] } @{ $host->page($xy, page_size => 11) };
        is($m->{msg}, '', 'recalled on every host');
        $m = (grep { $_->{msg_id} eq $id[$n] } @{ $host->page($xy) })[0] || { msg => '' };
        is($m->{msg}, '', 'and on the page that was at hand');
    }
}
is_deeply($t->texts($t->page($xy, page_size => 12)),
          [ '', '', 'm10', 'm9', 'm8', '', 'm6', 'm5', 'm4', '', '', 'm1' ],
          'the others are there');
$t->say($y => $x, 'm13');
is_deeply($far->texts($far->page($xy, page_size => 2)), [ 'm13', '' ], 'and go on');

# the revision comes round
my $head = "im:{c:$xy}:h";
$t->redis('SETRANGE', $head, 29, '999999');
$t->page($xy) for 1 .. 3;
$t->recall($y => $xy, $t->page($xy)->[0]{msg_id});
is($t->redis('GETRANGE', $head, 29, 34), '000000', 'after 999999 comes 000000');
is($t->page($xy)->[0]{msg}, '', 'which is another one');


# --- who may, and until when

sub sent { my $r = shift; return ($r->conv_id, $r->msg_id) }

sub recalls {
    my ($base, $by, $conv, $id) = @_;
    my $r = $t->post("/$base/msg/recall", { from_id => $by, conv_id => $conv, msg_id => $id });
    return $r->code || $r->body;
}

{
    my ($c, $id) = sent($t->say(ann => 'bob', 'late'));
    select undef, undef, undef, 0.02;
    is(recalls('soon', ann => $c, $id), 'recall_expired', 'too late');
    is(recalls('never', ann => $c, $id), 'recall_expired', 'never');
    is($t->page($c)->[0]{msg}, 'late', 'it is still there');
    is(recalls('ever', ann => $c, $id), '{}', 'for ever');

    ($c, $id) = sent($t->say_in(bob => $gr, 'a member'));
    select undef, undef, undef, 0.02;
    is(recalls('soon', bob => $gr, $id), 'recall_expired', 'too late in a group');
    is(recalls('never', cid => $gr, $id), 'forbidden', 'of another');
    is(recalls('never', ann => $gr, $id), '{}', 'the owner: any message, any time');
    ($c, $id) = sent($t->say_in(ann => $gr, 'the owner'));
    is(recalls('never', ann => $gr, $id), '{}', 'and the own one');

    # two minutes by default
    ($c, $id) = sent($t->say(ann => 'bob', 'old'));
    my $key = "im:{c:$c}:m";
    for my $age ([ 115_000, 1 ], [ 125_000, 0 ]) {
        my ($row) = @{ $t->redis('ZREVRANGE', $key, 0, 0) };
        my ($seq) = $row =~ /^(\d+)/;
        my $now = join '', map { sprintf '%s', $_ } $t->redis('TIME')->[0], '000';
        $t->redis('ZREM', $key, $row);
        $row =~ s/ \d{13} /' ' . ($now - $age->[0]) . ' '/e;
        $t->redis('ZADD', $key, $seq, $row);
        is(recalls('im', ann => $c, $id), $age->[1] ? '{}' : 'recall_expired',
           "after $age->[0] ms");
        ($c, $id) = sent($t->say(ann => 'bob', 'old')) if $age->[1];
    }
}

my ($c, $id) = sent($t->say(ann => 'bob', 'of ann'));
my (undef, $gid) = sent($t->say_in(bob => $gr, 'of bob'));
my ($bc, $other) = sent($t->say(bob => 'cid', 'elsewhere'));
my $old = $t->group(ann => ['bob']);
my (undef, $oid) = sent($t->say_in(bob => $old, 'before the end'));
$t->redis('SETRANGE', "im:{c:$old}:h", 0, '2');     # dismissed

run_blocks($t, undef, { c => $c, id => $id, g => $gr, gid => $gid, bc => $bc,
                        other => $other, old => $old, oid => $oid });

is_deeply($t->texts($t->page($gr))->[0], 'of bob', 'nothing of all this was done');

$far->done;
$t->done;
done_testing;

__DATA__
=== of the other in a 1:1
--- call
/im/msg/recall
--- json
{"conv_id":"{{c}}","msg_id":"{{id}}","from_id":"bob"}
--- code
forbidden

=== of another member
--- call
/im/msg/recall
--- json
{"conv_id":"{{g}}","msg_id":"{{gid}}","from_id":"cid"}
--- code
forbidden

=== by a stranger
--- call
/im/msg/recall
--- json
{"conv_id":"{{c}}","msg_id":"{{id}}","from_id":"eve"}
--- code
not_member

=== by a stranger, a message that is not there
--- call
/im/msg/recall
--- json
{"conv_id":"{{c}}","msg_id":"9999-0123456789abcdef","from_id":"eve"}
--- code
not_member

=== by a stranger to a group
--- call
/im/msg/recall
--- json
{"conv_id":"{{g}}","msg_id":"{{gid}}","from_id":"eve"}
--- code
not_member

=== a stranger who is known does not learn of a 1:1
--- call
/who/msg/recall
--- request_header
X-User: eve
--- json
{"conv_id":"{{c}}","msg_id":"{{id}}","from_id":"eve"}
--- code
conv_not_found

=== a stranger who is known, a group
--- call
/who/msg/recall
--- request_header
X-User: eve
--- json
{"conv_id":"{{g}}","msg_id":"{{gid}}","from_id":"eve"}
--- code
not_member

=== in another's name
--- call
/who/msg/recall
--- request_header
X-User: eve
--- json
{"conv_id":"{{c}}","msg_id":"{{id}}","from_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== no such conversation
--- call
/im/msg/recall
--- json
{"conv_id":"nosuch","msg_id":"{{id}}","from_id":"ann"}
--- code
conv_not_found

=== a 1:1 without messages
--- call
/im/msg/recall
--- json
{"conv_id":"0123456789abcdef01234567","msg_id":"{{id}}","from_id":"ann"}
--- code
conv_not_found

=== a message of another conversation
--- call
/im/msg/recall
--- json
{"conv_id":"{{c}}","msg_id":"{{other}}","from_id":"ann"}
--- code
msg_not_found

=== a number that is there, of another id
--- call
/im/msg/recall
--- json
{"conv_id":"{{g}}","msg_id":"1-0123456789abcdef","from_id":"ann"}
--- code
msg_not_found

=== no such message
--- call
/im/msg/recall
--- json
{"conv_id":"{{g}}","msg_id":"9999-0123456789abcdef","from_id":"ann"}
--- code
msg_not_found

=== what is no id
--- call
/im/msg/recall
--- json
{"conv_id":"{{g}}","msg_id":"x","from_id":"ann"}
--- code
msg_not_found

=== the beginning of an id
--- call
/im/msg/recall
--- json
{"conv_id":"{{g}}","msg_id":"1","from_id":"ann"}
--- code
msg_not_found

=== dismissed
--- call
/im/msg/recall
--- json
{"conv_id":"{{old}}","msg_id":"{{oid}}","from_id":"bob"}
--- code
dismissed

=== dismissed, by the owner
--- call
/im/msg/recall
--- json
{"conv_id":"{{old}}","msg_id":"{{oid}}","from_id":"ann"}
--- code
dismissed

=== dismissed, by a stranger
--- call
/im/msg/recall
--- json
{"conv_id":"{{old}}","msg_id":"{{oid}}","from_id":"eve"}
--- code
not_member

=== dismissed, no such message
--- call
/im/msg/recall
--- json
{"conv_id":"{{old}}","msg_id":"7-0123456789abcdef","from_id":"bob"}
--- code
msg_not_found

=== without conv_id
--- call
/im/msg/recall
--- json
{"msg_id":"{{id}}","from_id":"ann"}
--- code
bad_request
--- error_like
conv_id

=== without msg_id
--- call
/im/msg/recall
--- json
{"conv_id":"{{c}}","from_id":"ann"}
--- code
bad_request
--- error_like
msg_id

=== without from_id
--- call
/im/msg/recall
--- json
{"conv_id":"{{c}}","msg_id":"{{id}}"}
--- code
bad_request
--- error_like
from_id

=== an empty msg_id
--- call
/im/msg/recall
--- json
{"conv_id":"{{c}}","msg_id":"","from_id":"ann"}
--- code
bad_request
--- error_like
msg_id

=== in the own name
--- call
/who/msg/recall
--- request_header
X-User: ann
--- json
{"conv_id":"{{c}}","msg_id":"{{id}}","from_id":"ann"}
--- answer
{}
