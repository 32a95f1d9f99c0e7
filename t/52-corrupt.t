# What another hand has written into Redis and the schema does not know is told
# as store_error, and nothing is made of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new->start;

my $pair = $t->say('ann', 'bob', 'hello')->conv_id;
my $group = $t->group('ann', ['bob']);
$t->say_in(ann => $group, 'all');

sub refused {
    my ($what, $code, $path, $body) = @_;
    my $r = $t->post($path, $body);
    is($r->code, $code, "$what: $code") or diag($r->status . ' ' . $r->body);
    is($r->status, $STATUS{$code}, "$what: status");
}

# a list

for my $call (qw(conv/list unread)) {
    $t->redis(qw(ZADD im:{u:ann}:g 1), 'no id!');
    refused("$call with a group that has no id", 'store_error', "/im/$call", { from_id => 'ann' });
    $t->redis(qw(ZREM im:{u:ann}:g), 'no id!');
}

my ($entry) = @{ $t->redis(qw(ZRANGE im:{u:bob}:i 0 -1)) };
like($entry, qr/\Q$pair\E/, 'the entry of an inbox names its conversation');
my $wrong = $entry =~ s/\Q$pair\E/$group/r;
$t->redis('ZADD', 'im:{u:cat}:i', 1, $wrong);
refused('an inbox with a group in it', 'store_error', '/im/conv/list', { from_id => 'cat' });
$t->redis('ZADD', 'im:{u:dan}:i', 1, 'x');
refused('an inbox with something in it', 'store_error', '/im/conv/list', { from_id => 'dan' });

# the head of a 1:1, asked for as if it were a group

my $head = "im:{c:$pair}:h";
my $was = $t->redis(GET => $head);
refused('a 1:1 is no group', 'not_group', "/im/group/$pair/list", {});

my $none = 'f' x 24;
refused('there is no such 1:1', 'conv_not_found', "/im/group/$none/list", {});

$t->redis(SET => $head, 'x');
refused('a head with something in it', 'store_error', "/im/group/$pair/list", {});
refused('and its page', 'store_error', "/im/conv/$pair", {});

$t->redis(DEL => $head);
$t->redis(HSET => $head, 'a', 'b');
refused('a head of another type', 'store_error', "/im/group/$pair/list", {});
is_deeply([ map { $_->{conv_id} } @{ $t->list('bob') } ], [$group], 'MGET has nothing of it');

$t->redis(DEL => $head);
$t->redis(SET => $head, $was);
is_deeply([ sort map { $_->{last_msg} } @{ $t->list('bob') } ], [qw(all hello)], 'as it was, it is served');

# a row whose sender is no user

my $rows = "im:{c:$pair}:m";
my ($row) = @{ $t->redis(ZREVRANGE => $rows, 0, 0) };
for my $from ('f' x 500, 'a"b', "a\x01") {
    my $bad = $row =~ s/ ann / $from /r;
    $t->redis(ZREM => $rows, $row);
    $t->redis(ZADD => $rows, 1, $bad);
    refused('a row of ' . length($from) . ' bytes of sender', 'store_error', "/im/conv/$pair", {});
    $t->redis(ZREM => $rows, $bad);
    $t->redis(ZADD => $rows, 1, $row);
}
is(scalar @{ $t->page($pair) }, 1, 'as it was, it is served');

# a page of a user and themselves is nobody's

refused('from and to are the same', 'bad_request', '/im/from/to', { from_id => 'ann', to_id => 'ann' });

$t->done;
done_testing;
