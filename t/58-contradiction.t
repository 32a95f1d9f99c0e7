# A timeline and a head that contradict each other, as after a restart with a
# broken append-only file: told as store_error and in the log, and nothing
# wrong is returned or stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;

use Proxy;
use Test::IM;

my $t = Test::IM->new(
    store => 'server unix:{{dir}}/p.sock;',
    conf_im => 'im_reply full; im_read_on_fetch off;',
    conf_http => 'im_cache off; im_redis direct { server unix:{{sock}}; }',
    conf_server => 'location /direct/ { im_pass direct; im_reply full; }',
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;

my $no = 0;

# lines that name the conversation since the last call
my $read = 0;
sub lines {
    my ($conv) = @_;
    my $log = substr $t->error_log, $read;
    $read = length $t->error_log;
    return grep { /store_error[^\n]*conv: "\Q$conv\E"/ } split /\n/, $log;
}

# why: a line of the log is awaited, which has at most one a second
sub refused {
    my ($what, $conv, $why, $path, $body) = @_;
    my @lines;
    my $r = $t->post($path, $body);
    is($r->status . ' ' . $r->code, '502 store_error', "$what: refused") or diag($r->body);
    return if !$why;
    ok($t->poll(10, sub { @lines = lines($conv) or $t->post($path, $body); @lines }),
       "$what: a line that names the conversation");
    like($lines[0] // '', $why, "$what: with the cause");
}

sub seqs { my $r = $t->call(@_); return join ' ', map { $_->{seq} } @{ $r->json } }
sub rows { return $t->redis('ZRANGE', "im:{c:$_[0]}:m", 0, -1, 'WITHSCORES') }

my $behind = qr/the timeline has messages that the head does not know/;
my $doubled = qr/two messages have the same sequence/;

for my $kind ('1:1', 'group') {
    my ($ann, $bob) = fresh();
    my $group = $kind eq 'group' ? $t->group($ann, [$bob]) : undef;
    my %to = $group ? (conv_id => $group) : (to_id => $bob);
    my $say = sub {
        my ($msg, %more) = @_;
        return $t->post('/im/send/msg', { from_id => $ann, %to, msg => $msg, msg_type => 0, %more });
    };
    my (@id, @head, $conv);
    for my $n (1 .. 5) {
        my $r = $say->("m$n");
        is($r->status, 200, "$kind: message $n");
        $conv = $r->json->{conv_id};
        push @id, $r->json->{msg_id};
        push @head, $t->redis('GET', "im:{c:$conv}:h");
    }
    my ($head, $timeline) = ("im:{c:$conv}:h", "im:{c:$conv}:m");
    my $path = "/direct/conv/$conv";

    # --- the head is behind
    $t->redis('SET', $head, $head[2]);
    my $before = rows($conv);
    refused("$kind: first page", $conv, $behind, $path, {});
    refused("$kind: after", $conv, undef, $path, { after => $id[1] });
    is(seqs($path, { page_size => 2, page_no => 2 }), '3 2', "$kind: what the head knows is returned");
    is(seqs($path, { before => $id[3] }), '3 2 1', "$kind: by a cursor, too");
    refused("$kind: a send", $conv, $behind, '/direct/send/msg',
            { from_id => $ann, %to, msg => 'm6', msg_type => 0, client_msg_id => 'k' });
    lines($conv);
    is_deeply(rows($conv), $before, "$kind: nothing is stored");
    is($t->redis('GET', $head), $head[2], "$kind: nor in the head");
    $t->redis('SET', $head, $head[4]);
    is(seqs($path, {}), '5 4 3 2 1', "$kind: set right, it is served");
    my $r = $say->('m6', client_msg_id => 'k');
    is($r->json->{seq}, 6, "$kind: and so are sends") or diag($r->body);

    # one row is that of a write that was cut off: it is replaced
    my $six = $t->redis('GET', $head);
    $t->redis('SET', $head, $head[4]);
    refused("$kind: before that", $conv, undef, $path, {});
    $r = $say->('again', client_msg_id => 'l');
    is($r->json->{seq}, 6, "$kind: a row of a write that was cut off is replaced") or diag($r->body);
    is(seqs($path, {}), '6 5 4 3 2 1', "$kind: all is well");

    # --- a sequence twice
    my ($row) = @{ $t->redis('ZRANGEBYSCORE', $timeline, 3, 3) };
    (my $other = $row) =~ s/^3-.{16}/3-0123456789abcdef/;
    $t->redis('ZADD', $timeline, 3, $other);
    for my $body ({}, { page_size => 200 }, { after => '' }, { before => $id[4] }) {
        refused("$kind: twice, @{[ %$body ]}", $conv, %$body ? undef : $doubled, $path, $body);
    }
    is(seqs($path, { page_size => 3 }), '6 5 4', "$kind: a page without it");
    $t->redis('ZREM', $timeline, $other);
    is(seqs($path, {}), '6 5 4 3 2 1', "$kind: removed, it is served");

    # a recall that was cut off leaves both rows of one message
    (my $recalled = $row) =~ s/^(\S+ \S+ .).*/$1r $ann /s;
    $t->redis('ZADD', $timeline, 3, $recalled);
    is($t->post($path, {})->status, 200, "$kind: two rows of one message");
    $t->redis('ZREM', $timeline, $recalled);

    # --- a message that comes between the two commands of a page is none
    $p->replace("\$" . length($head[3]) . "\r\n$head[3]\r\n", 1, "^getrange im:.c:$conv");
    is(seqs("/im/conv/$conv", { page_size => 6 }), '6 5 4 3 2 1', "$kind: stored in between");
    is($p->stat->{fired}, ++$no, 'so it was');
}

# a head that is gone
{
    my ($ann, $bob) = fresh();
    my $conv = $t->say($ann, $bob, 'm1')->conv_id;
    $t->say($ann, $bob, 'm2');
    $t->redis('DEL', "im:{c:$conv}:h");
    refused('a first message', $conv, $behind, '/direct/send/msg',
            { from_id => $ann, to_id => $bob, msg => 'm', msg_type => 0 });
    is(@{ rows($conv) }, 4, 'nothing is stored');
}

$t->done(qr/store_error/);
$p->stop;
done_testing;
