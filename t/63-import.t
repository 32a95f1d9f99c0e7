# /im/import: what a batch must be, what it conflicts with, what counts as
# unread, and how it goes together with what is sent here.  A refused batch
# changes no key.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use JSON::PP ();
use Test::More;
use Test::IM;

my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $t = Test::IM->new(
    workers => 2,
    conf_im => 'im_import on;',
    conf_http => 'im_rate zone=rate:1m;',
    conf_server => <<'CONF',
        location = /status { im_status json; }
        location /off/ { im_pass store; }
        location /full/ { im_pass store; im_import on; im_reply full; }
        location /who/ { im_pass store; im_import on; im_user $http_x_user; }
        location /few/ { im_pass store; im_import on; im_group_max_members 3; im_groups_max 2; }
        location /small/ { im_pass store; im_import on; im_import_max_body_size 2k; }
        location /rate/ { im_pass store; im_import on; im_rate user=1r/m; im_rate conv=1r/m; }
        location /other/ { im_pass store; im_import on; im_key_prefix other:; }
CONF
)->start;

my $base = 1700000000000;

sub m1 {        # a message
    my ($id, $from, $time, %more) = @_;
    return { msg_id => $id, from_id => $from, from_time => $base + $time, msg => "text of $id", msg_type => 0, %more };
}

sub batch { my ($id, $type, $users, $m, %more) = @_;
    return { conv_id => $id, conv_type => $type, conv_users => $users, messages => $m, %more } }

sub put { return $t->call('/im/import', batch(@_))->json }

sub refused {
    my ($code, $body, $what, %opt) = @_;
    my $before = $t->snapshot;
    my $r = $t->post($opt{path} // '/im/import', $body, headers => $opt{headers} || []);
    is($r->code, $code, "$what: $code") or diag($r->body);
    is($r->status, $STATUS{$code}, "$what: status");
    like($r->json->{error}, $opt{like}, "$what: text") if $opt{like};
    is_deeply($t->snapshot, $before, "$what: no key is changed");
    return $r;
}

sub hex24 { return substr sha1_hex("old $_[0]"), 0, 24 }

my ($two, $three) = ([qw(ann bob)], [qw(ann bob cid)]);


# --- who and where

{
    my $body = batch('w', 0, $two, [ m1('a', 'ann', 0) ]);
    refused(not_found => $body, 'im_import off', path => '/off/import');
    refused(forbidden => $body, 'a user', path => '/who/import', headers => ['X-User: ann'], like => qr/trusted/);
    refused(forbidden => $body, 'nobody', path => '/who/import');
    refused(bad_request => {}, 'a user, a wrong body', path => '/who/import', headers => ['X-User: ann']);
    is($t->post('/im/import', $body, method => 'GET')->status, 405, 'POST only');

    # for others the bodies are those of other calls
    my $long = batch('w', 0, $two, [ m1('a', 'ann', 0) ], more => 'x' x 300_000);
    refused(body_too_large => $long, 'a user, a long body', path => '/who/import', headers => ['X-User: ann']);
    is($t->post('/im/import', $long)->status, 200, 'a long body');
    refused(body_too_large => batch('w', 0, $two, [], more => 'x' x 3000), 'im_import_max_body_size', path => '/small/import');
    is($t->post('/small/import', batch('w', 0, $two, [], more => 'x' x 1500))->status, 200, 'up to it');
    is($t->post('/im/import', batch('w', 0, $two, [], more => 'x' x 4_190_000))->status, 200, '4m is the default');
    refused(body_too_large => batch('w', 0, $two, [], more => 'x' x 4_200_000), 'more');
    is($t->h2('/im/import', batch('w', 0, $two, [], more => 'x' x 2_000_000))->status, 200, 'over HTTP/2');
    is($t->h2('/im/import', batch('w', 0, $two, [], more => 'x' x 2_000_000), length => 0)->status, 200, 'without a length');

    is($t->post('/rate/import', batch('w', 0, $two, [ m1("r$_", 'ann', $_) ]))->status, 200, 'im_rate does not apply') for 1 .. 3;
    ok(!defined $t->conf_fails(conf_im => 'im_import_max_body_size 16m;'), '16m');
    like($t->conf_fails(conf_im => 'im_import_max_body_size 17m;'), qr/between 1 and 16m/, 'not more');
    like($t->conf_fails(conf_server => 'im_import on;'), qr/"im_import" directive is not allowed here/, 'in a location');
}


# --- bad batches: index and field

{
    my @good = map { m1("g$_", 'ann', $_) } 0 .. 4;
    my $with = sub { my ($i, %set) = @_; my @m = map { { %$_ } } @good;
        defined $set{$_} ? ($m[$i]{$_} = $set{$_}) : delete $m[$i]{$_} for keys %set; return [ @m ] };

    for ([ msg_id => undef, '', 'x' x 129, 1, [] ], [ msg_type => undef, '0', -1, 5, 1.5 ], [ msg => undef, 1, {} ],
         [ from_id => undef, '', 'a b', 'x' x 65, 1 ],
         [ from_time => undef, '1', 999999999999, 10000000000000, 0, -1, 1.7e12 + 0.5 ])
    {
        my ($field, @values) = @$_;
        for my $v (@values) {
            my $name = $field . ' ' . (defined $v ? substr(ref $v || $v, 0, 20) : 'absent');
            refused(bad_request => batch('b', 1, $two, $with->(3, $field => $v)), $name, like => qr/^messages\[3\]: $field /);
        }
    }
    refused(bad_request => batch('b', 1, $two, [ @good[0, 1], 7 ]), 'no object', like => qr/messages\[2\]/);
    refused(bad_request => batch('b', 1, $two, $with->(3, from_time => $base + 1)), 'not in order', like => qr/^messages\[3\]: from_time /);
    refused(msg_too_long => batch('b', 1, $two, $with->(4, msg => 'x' x 32769)), 'too long', like => qr/^messages\[4\]: msg /);
    refused(bad_request => batch('b', 1, $two, [ map { m1("g$_", 'ann', $_) } 0 .. 1000 ]), '1001 messages', like => qr/messages/);
    refused(bad_json => '{"conv_id":"b","conv_type":1,"conv_users":["ann"],"messages":[{"msg_id":"a","msg_id":"b"}]}', 'twice');
    refused(bad_json => '{"conv_id":"b","conv_type":1,"conv_users":["ann"],"messages":[{"msg_id":"a\u0000"}]}', 'NUL');

    refused(bad_request => batch($_, 1, $two, \@good), "conv_id $_") for '', '.', '..', 'list', 'a b', 'x' x 65, 'a/b';
    refused(bad_request => batch('b', $_, $two, \@good), "conv_type $_") for 2, -1, '0';
    refused(bad_request => batch('b', 0, $_, \@good), 'conv_users of a 1:1') for [], ['ann'], [qw(ann ann)], $three, 'ann', [ 'ann', 'b c' ];
    refused(bad_request => batch('b', 1, [], \@good), 'nobody');
    refused(bad_request => batch('b', 1, $two, \@good, owner_id => 'cid'), 'the owner is no member', like => qr/owner_id/);
    refused(bad_request => batch('b', 1, $two, \@good, %$_), "bad @{[ %$_ ]}")
        for { name => 'x' x 129 }, { img => 'x' x 4097 }, { description => 'x' x 8193 }, { created => 5 }, { unread => 1 };
    refused(group_full => batch('b', 1, [qw(a b c d)], \@good), 'too many members', path => '/few/import');
    is($t->post('/im/conv/b', {})->code, 'conv_not_found', 'nothing of it was stored');
    is_deeply(put('b', 1, $two, \@good), { stored => 5, skipped => 0 }, 'and the good one is');
}


# --- ids of any bytes, 1000 messages

{
    my @any = map { chr } 1 .. 255, 0x2028, 0x1f600;
    my @ids = (@any, "a  b", ' ', '\\u0020', "\x01", 'x' x 128, "\x{1f600}" x 32, '7=x', '1-0123456789abcdef', '"', '\\');
    my %seen;
    @ids = grep { !$seen{$_}++ } @ids;
    my $id = hex24('any');
    is(put($id, 0, [qw(any1 any2)], [ map { m1($ids[$_], 'any1', $_) } 0 .. $#ids ])->{stored}, 0 + @ids, 'ids of any bytes');
    is(put($id, 0, [qw(any1 any2)], [ map { m1($ids[$_], 'any1', $_) } 0 .. $#ids ])->{skipped}, 0 + @ids, 'known');
    my @got = map { $_->{msg_id} } @{ $t->page($id, after => '', page_size => 200) };
    push @got, map { $_->{msg_id} } @{ $t->page($id, after => $got[0], page_size => 200) };
    is_deeply([ sort @got ], [ sort @ids ], 'as they came');
    for my $k (1 .. $#ids) {
        my $p = $t->page($id, before => $ids[$k], page_size => 1);
        is($p->[0]{msg_id}, $ids[$k - 1], "the one before $k") if $p->[0]{msg_id} ne $ids[$k - 1];
    }

    my @many = map { m1("m$_", $_ % 2 ? 'ann' : 'bob', $_) } 1 .. 1000;
    $t->redis('CONFIG', 'RESETSTAT');
    is_deeply(put('many', 1, $two, \@many), { stored => 1000, skipped => 0 }, '1000 messages');
    my $sum = 0;
    my $stats = $t->redis('INFO', 'commandstats');
    $sum += $1 while $stats =~ /cmdstat_(?!config|info)\w+:calls=(\d+)/g;
    cmp_ok($sum, '<', 40, "$sum commands");
    is_deeply(put('many', 1, $two, \@many), { stored => 0, skipped => 1000 }, 'again');
    is($t->page('many', page_size => 1)->[0]{msg_id}, 'm1000', 'the last');
}


# --- conflicts

{
    my $id = hex24('pair');
    put($id, 0, [qw(c1 c2)], [ m1('a', 'c1', 10), m1('b', 'c2', 20) ]);
    my @old = (m1('x', 'c1', 19));
    refused(import_conflict => batch($id, 0, [qw(c1 c2)], [ @old ]), 'older');
    refused(import_conflict => batch($id, 0, [qw(c1 c2)], [ @old, m1('y', 'c1', 30) ]), 'older, then newer');
    refused(import_conflict => batch($id, 0, [qw(c1 c2)], [ m1('a', 'c1', 10), @old ]), 'known, then older');
    refused(import_conflict => batch($id, 0, [qw(c1 c3)], [ m1('z', 'c1', 30) ]), 'other users');
    refused(import_conflict => batch($id, 1, [qw(c1 c2)], [ m1('z', 'c1', 30) ]), 'another type');
    refused(import_conflict => batch("$id.2", 0, [qw(c1 c2)], [ m1('z', 'c1', 30) ]), 'a second id of the two');
    refused(import_conflict => batch(substr(sha1_hex('c1 c2'), 0, 24), 0, [qw(c1 c2)], [ m1('z', 'c1', 30) ]), 'its computed id');
    is_deeply(put($id, 0, [qw(c2 c1)], [ m1('b', 'c2', 20), m1('c', 'c2', 20), m1('c', 'c2', 20) ]), { stored => 1, skipped => 2 },
              'the same time is not older, and one twice is one');

    put('cg', 1, [qw(c1 c2 c3)], [ m1('a', 'c1', 10) ]);
    refused(import_conflict => batch('cg', 1, [qw(c1 c2 c3)], [ m1('x', 'c1', 9) ]), 'group: older');
    refused(import_conflict => batch('cg', 1, $_, [ m1('z', 'c1', 30) ]), "group: users @$_")
        for [qw(c1 c2)], [qw(c1 c2 c3 c4)], [qw(c1 c2 c4)];
    refused(import_conflict => batch('cg', 0, [qw(c4 c5)], [ m1('z', 'c1', 30) ]), 'the id of a group');
    refused(import_conflict => batch($id, 0, [qw(c4 c5)], [ m1('z', 'c1', 30) ]), 'the id of another 1:1');

    # of the two who talk here already
    $t->say(d1 => 'd2', 'here');
    $t->say(d2 => 'd1', 'too');
    my $now = $t->pair('d1', 'd2')->[0]{from_time} - $base;
    $id = hex24('native');
    refused(import_conflict => batch($id, 0, [qw(d1 d2)], [ m1('a', 'd1', 0) ]), 'older than what was sent');
    is_deeply(put($id, 0, [qw(d2 d1)], [ m1('a', 'd1', $now + 5) ]), { stored => 1, skipped => 0 }, 'newer');
    is_deeply([ map { $_->{msg} } @{ $t->page($id) } ], [ 'text of a', 'too', 'here' ], 'one conversation');
    my ($row) = @{ $t->list('d1') };
    is_deeply([ @$row{qw(conv_id conv_users unread_count)} ], [ $id, [qw(d1 d2)], 0 ], 'under the imported id, in their order');
    is_deeply(put(hex24('bare'), 0, [qw(d3 d4)], []), { stored => 0, skipped => 0 }, 'none');
    $t->say(d5 => 'd6', 'here');
    is_deeply(put(hex24('bare2'), 0, [qw(d5 d6)], []), { stored => 0, skipped => 0 }, 'no messages, some of here');
    is($t->page(hex24('bare2'))->[0]{msg}, 'here', 'which have the id, too');
    is($t->list('d6')->[0]{unread_count}, 1, 'and are unread');

    my $g = $t->group(d1 => ['d2'], conv_id => 'ng');
    $t->say_in(d1 => $g, 'here');
    refused(import_conflict => batch('ng', 1, [qw(d1 d2)], [ m1('a', 'd1', 0) ]), 'group: older than what was sent');
    refused(import_conflict => batch('ng', 1, [qw(d1 d3)], [ m1('a', 'd1', $now + 5000) ]), 'group of here: others');
    is(put('ng', 1, [qw(d2 d1)], [ m1('1-0123456789abcdef', 'd1', $now + 60000) ])->{stored}, 1, 'a group of here');
    is($t->page('ng', before => '1-0123456789abcdef')->[0]{msg}, 'here', 'an id of any form in it');

    # what was exported here is known here
    my @back = map { my $m = $_; +{ map { ($_ => $m->{$_}) } qw(msg_id msg_type msg from_id from_time) } } reverse @{ $t->page('ng') };
    is_deeply(put('ng', 1, [qw(d1 d2)], \@back), { stored => 0, skipped => 2 }, 'an export of itself');
}


# --- sends and imports of one conversation

for my $type (0, 1) {
    my $id = hex24("live $type");
    my @u = ("l$type.a", "l$type.b");
    put($id, $type, [ @u ], [ m1('a', $u[0], 1), m1('b', $u[1], 2) ]);
    is($t->say_in($u[0] => $id, 'live')->msg_id =~ /^3-/, 1, 'the sequence goes on');
    refused(import_conflict => batch($id, $type, [ @u ], [ m1('a', $u[0], 1), m1('c', $u[1], 3) ]), 'older than what was sent');
    my $last = $t->page($id)->[0]{from_time} - $base;
    is(put($id, $type, [ @u ], [ m1('a', $u[0], 1), m1('d', $u[1], $last + 60000) ])->{stored}, 1, 'newer');
    my $r = $t->say_in($u[1] => $id, 'after');
    is($r->msg_time, $base + $last + 60000, 'time does not go back');
    is_deeply([ map { $_->{msg} } @{ $t->page($id) } ], [ 'after', 'text of d', 'live', 'text of b', 'text of a' ], 'nothing is lost');

    # at the same time: the batch is stored as a whole, or not at all
    my $both = hex24("both $type");
    my @w = ("m$type.a", "m$type.b");
    put($both, $type, [ @w ], [ m1('a', $w[0], 1) ]);
    my @m = map { m1("b$_", $w[$_ % 2], $_) } 1 .. 500;
    my $pid = fork // die;
    if (!$pid) { $t->say_in($w[0] => $both, "s$_") for 1 .. 30; POSIX::_exit(0) }
    my %n;
    for my $k (0 .. 24) {
        my $b = $t->post('/im/import', batch($both, $type, [ @w ], [ @m[20 * $k .. 20 * $k + 19] ]));
        $n{ $b->code || 'ok' } += 20;
    }
    waitpid $pid, 0;
    is($?, 0, 'sent');
    is(($n{ok} // 0) + ($n{import_conflict} // 0), 500, 'stored or refused');
    my @all;
    for (my $after = ''; my @p = reverse @{ $t->page($both, after => $after, page_size => 200) }; $after = $p[-1]{msg_id}) { push @all, @p }
    is(@all, 1 + 30 + ($n{ok} // 0), 'each is there');
    is_deeply([ map { $_->{from_time} } @all ], [ sort { $a <=> $b } map { $_->{from_time} } @all ], 'in order of time');
    is_deeply([ grep { /^s/ } map { $_->{msg} } @all ], [ map { "s$_" } 1 .. 30 ], 'what was sent is there in order');
}


# --- unread

for my $type (0, 1) {
    my $id = hex24("unread $type");
    my @u = ("n$type.a", "n$type.b");
    my $n = sub { return [ map { $t->unread_in($_, $id) } @u ] };
    my $i = 0;
    my $more = sub { my ($unread, @from) = @_;
        put($id, $type, [ @u ], [ map { m1('m' . $i++, $_, $i) } @from ], unread => $unread ? $true : $false) };

    $more->(1, $u[0], $u[0], 'bot');
    is_deeply($n->(), [ 1, 3 ], 'unread by those who did not send them');
    $more->(1, $u[1]);
    is_deeply($n->(), [ 2, 0 ], 'who sends has read');
    $more->(0, $u[0], 'bot', $u[1]);
    is_deeply($n->(), [ 0, 0 ], 'not unread, and own ones read what is before') or diag(explain($n->()));
    $more->(1, 'bot', 'bot');
    $more->(0, 'bot', 'bot', 'bot');
    is_deeply($n->(), [ 2, 2 ], 'what does not count changes nothing');
    is($t->unread($u[0]), 2, 'and the total');
    $t->page($id, from_id => $u[0]);
    is_deeply($n->(), [ 0, 2 ], 'read');
    put($id, $type, [ @u ], [ m1('m0', $u[0], 1) ], unread => $true);
    is_deeply($n->(), [ 0, 2 ], 'nothing new counts nothing');
    $t->say_in($u[0] => $id, 'x');
    is_deeply($n->(), [ 0, 3 ], 'and on');
    $t->hide($u[1], $id);
    put($id, $type, [ @u ], [], unread => $true);
    is($t->unread_in($u[1], $id), undef, 'hidden still');
    put($id, $type, [ @u ], [ m1('end', 'bot', 1e12) ], unread => $true);
    is_deeply($n->(), [ 1, 4 ], 'until the next message');
}


# --- what a group is, limits of members

{
    my %meta = (name => "N\x{e9} \"1\"", img => '/i.png', description => "d\n");
    put('meta', 1, [qw(g1 g2 g3)], [], %meta, owner_id => 'g2', created => $base);
    put('meta', 1, [qw(g3 g1 g2)], [ m1('a', 'g1', 0) ], name => 'later', owner_id => 'g3');
    is_deeply([ map { $_->{id} } @{ $t->members('meta') } ], [qw(g2 g1 g3)], 'owner, then joining order');
    my ($row) = @{ $t->post('/full/conv/list', { from_id => 'g1' })->json };
    is_deeply({ map { ($_ => $row->{$_}) } qw(name img description conv_users last_time seq) },
              { %meta, conv_users => [qw(g1 g2 g3)], last_time => $base, seq => 1 }, 'as the first batch said');
    put('noname', 1, ['g1'], []);
    is(scalar(grep { $_->{conv_id} eq 'noname' } @{ $t->post('/full/conv/list', { from_id => 'g1' })->json }), 1, 'without a name');
    is(($t->members('noname'))->[0]{id}, 'g1', 'the first is the owner');
    put('now', 1, ['g1'], []);
    cmp_ok(($t->list('g1'))->[0]{last_time}, '>', $base, 'created now') or diag(explain($t->list('g1')));

    put($_, 1, [ 'full', "f$_" ], []) for qw(f1 f2);
    refused(too_many_groups => batch('f3', 1, [qw(free full)], [ m1('a', 'x', 0) ]), 'im_groups_max', path => '/few/import');
    is($t->post('/few/import', batch('f1', 1, [qw(full ff1)], [ m1('a', 'x', 0) ]))->status, 200, 'not of one that is there');
    is_deeply($t->list('free'), [], 'nobody was added');
}


# --- a 1:1 without messages, whose messages are older than it

{
    my $id = hex24('empty');
    put($id, 0, [qw(e1 e2)], []);
    put(hex24("e $_"), 0, [ 'e1', "x$_" ], [ m1('a', 'e1', 1000000 * $_) ]) for 1 .. 3;
    is($t->list('e1')->[0]{conv_id}, $id, 'created now, it is the first');
    put($id, 0, [qw(e1 e2)], [ m1('a', 'e2', 1500000) ], unread => $true);
    my $r = $t->post('/im/conv/list', { from_id => 'e1', limit => 2 })->json;
    is_deeply([ map { $_->{conv_id} } @$r ], [ hex24('e 3'), hex24('e 2') ], 'then where its message is');
    $r = $t->post('/im/conv/list', { from_id => 'e1', since => $base + 1400000, until => $base + 1600000 })->json;
    is_deeply([ map { $_->{conv_id} } @$r ], [$id], 'since, until');
    is(0 + $t->redis('ZSCORE', 'im:{u:e1}:i', substr(sha1_hex('e1 e2'), 0, 24) . ' e2'), $base + 1500000, 'the inbox has its time');
    is($t->unread('e1'), 1, 'unread');
    is_deeply($t->post('/full/conv/list', { from_id => 'x1' })->json->[0]{recalled}, undef, 'not recalled');
}


# --- recalled ones

{
    my $id = hex24('recalled');
    put($id, 0, [qw(r1 r2)], [ m1('a', 'r1', 1), m1('b', 'r1', 2, msg => '', msg_type => 3) ]);
    my $p = $t->post("/full/conv/$id", {})->json;
    is_deeply([ map { $_->{recalled} ? 1 : 0 } @$p ], [ 1, 0 ], 'recalled in pages');
    ok($t->post('/full/conv/list', { from_id => 'r1' })->json->[0]{recalled}, 'and in lists');
    is($p->[0]{msg_type}, 3, 'with its type');
}


# --- a copy gives the same answers

{
    my $g = $t->group(k1 => [qw(k2 k3)], conv_id => 'copy');
    my @said = map { $t->say_in('k' . (1 + $_ % 3) => $g, "said $_", msg_type => $_ % 5)->msg_id } 1 .. 30;
    $t->recall(k1 => $g, $said[4]);
    my $page = $t->page($g, page_size => 200);
    my @m = map { my $m = $_; +{ map { ($_ => $m->{$_}) } qw(msg_id msg_type msg from_id from_time) } } reverse @$page;
    is($t->call('/other/import', batch('copy', 1, [qw(k1 k2 k3)], \@m))->json->{stored}, 30, 'imported elsewhere');
    for ([ page_size => 200 ], [ before => $said[10] ], [ after => $said[10] ], [ page_no => 3 ]) {
        is_deeply($t->call("/other/conv/$g", {@$_})->json, $t->page($g, @$_), "page @$_");
    }
    my ($row) = grep { $_->{conv_id} eq $g } @{ $t->list('k1') };
    my $copy = $t->call('/other/conv/list', { from_id => 'k1' })->json->[0];
    delete $_->{unread_count} for $row, $copy;
    is_deeply($copy, $row, 'list');
}


# --- round trips: at most one more, and for others none

{
    my $trips = sub { $t->get('/status')->json->{total}{stores}{store}{round_trips}{count} };
    my $cost = sub {
        my ($path, $body) = @_;
        my $before = $trips->();
        my $r = $t->post($path, $body);
        return ($r->code || 'ok') . ' ' . ($trips->() - $before);
    };
    my %twin;
    for my $type (0, 1) {
        my @m = map { m1("t$_", 't1', $_) } 1 .. 20;
        put(hex24("trip $type"), $type, [qw(t1 t2)], \@m);
        put("trip.$type", $type, $type ? [qw(t1 t2)] : [qw(t1 t3)], \@m);
        $twin{$type} = $type ? $t->group(t1 => ['t2'], conv_id => 'twin') : $t->say(t1 => 't4', 'x')->conv_id;
    }
    my @sent = map { $t->say_in(t1 => $twin{$_}, 'y')->msg_id } 0, 1;
    for my $type (0, 1) {
        for ([ 'conv/ID', {} ], [ 'conv/ID', { from_id => 't1' } ], [ 'conv/ID', { before => 'MSG' } ],
             [ 'conv/ID/read', { from_id => 't1', msg_id => 'MSG' } ], [ 'conv/ID/hide', { from_id => 't1' } ],
             [ 'conv/ID/readers', {} ], [ 'send/msg', { conv_id => 'ID', from_id => 't1', msg => 'x', msg_type => 0 } ],
             [ 'msg/recall', { conv_id => 'ID', from_id => 't1', msg_id => 'MSG' } ],
             [ 'group/ID/list', {} ], [ 'group/ID/set', { from_id => 't1', name => 'n' } ],
             [ 'add/group/member', { conv_id => 'ID', member => ['t1'] } ])
        {
            my ($path, $body) = @$_;
            my %got;
            for my $id ($twin{$type}, hex24("trip $type"), "trip.$type") {
                my $msg = $id eq $twin{$type} ? $sent[$type] : 't20';
                my %b = map { my $v = $body->{$_}; ($_ => $v eq 'ID' ? $id : $v eq 'MSG' ? $msg : $v) } keys %$body;
                my $p = $path =~ s/ID/$id/r;
                $cost->("/im/$p", \%b);             # the cache knows the users
                $got{$id} = $cost->("/im/$p", \%b);
            }
            my ($code, $n) = split ' ', $got{ $twin{$type} };
            for my $id (hex24("trip $type"), "trip.$type") {
                my ($c, $k) = split ' ', $got{$id};
                my $same = $code =~ /recall_expired|ok/ ? $c =~ /recall_expired|ok/ : $c eq $code;
                ok($same && $k <= $n + 1, "$path of $id, type $type: $k round trips for $n")
                    or diag("$got{$twin{$type}}; $got{$id}");
            }
        }
    }
    is($cost->('/im/conv/none/read', { from_id => 't1', msg_id => 'x' }), 'conv_not_found 1', 'no conversation: one');
    is($cost->("/im/conv/$twin{0}/read", { from_id => 't1', msg_id => 'x' }), 'msg_not_found 1', 'no message: one');
    is($cost->("/im/conv/$twin{1}", { before => 'x' }), 'msg_not_found 1', 'no cursor: one');
}

$t->done;
done_testing;
