# A worker that gets no memory: for every call, its first allocation fails,
# then its second, and so on until none does; then the n-th and all after it.
# The caller gets an error or a closed connection and nothing is half done; the
# worker lives, and serves the next one.
#
# With the packaged nginx an allocation is a block of a pool; with that of
# t/asan it is each single one, and what leaks is found.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::IM::OOM;

plan skip_all => 'valgrind has an allocator of its own' if $ENV{IM_VALGRIND};
plan skip_all => 'no gcc' if !$ENV{CI} && system 'gcc --version >/dev/null 2>&1';

my $scale = $Test::IM::SCALE;

# --- the site: no place of its eight may be lost

my $t = Test::IM->new(
    redis => 0,
    store => "server unix:{{sock}}; timeout ${scale}s; max_pending 8;",
    conf_http => 'map $http_user $backend { "" on; }',
    conf_im => 'im_reply full; im_user $http_user; im_trusted $backend;',
    conf_main => 'env IM_OOM;',
);
my $oom = Test::IM::OOM->start($t);

my ($pid) = $t->worker_pids;

# ids of what was done may be there when the response fails after all
$Test::IM::OpenAPI::ON = 0;

sub ask {       # the response, undef when the connection was closed
    my ($path, $data, @headers) = @_;
    my $text = ref $data ? JSON::PP->new->utf8->encode($data) : $data;
    my $r = eval {
        my $c = $t->connect;
        $c->{timeout} = 3 * $scale;
        $c->send(join "\r\n", "POST $path HTTP/1.1", 'Host: x', 'Connection: close', @headers,
                 grep({ /^Transfer/ } @headers) ? () : 'Content-Length: ' . length $text, '', $text);
        $c->read_response;
    };
    return $r if $r || !$@ || $@ =~ /reset|Broken pipe/;
    return { hung => $@ };
}

# again, until the connection to Redis is back
sub must {
    my @ask = @_;
    my $r;
    $t->poll(5, sub { $r = ask(@ask); $r && !$r->{hung} && $r->status != 503 });
    return $r;
}


# --- the calls; %d is a number of its own for every try

my $group = 'g';
my $big = 'x' x 9000;

must('/im/user/set', { users => [ map { { id => $_, name => "name of $_", img => 'i' } } 'a' .. 'h' ] });
must('/im/creat/group', { owner_id => 'a', name => 'g', conv_id => $group, member => [ 'b' .. 'h' ] });
for my $n (1 .. 12) {
    must('/im/send/msg', { from_id => $n % 2 ? 'a' : 'b', to_id => $n % 2 ? 'b' : 'a',
                           msg => "old $n $big", msg_type => 0 });
    must('/im/send/msg', { from_id => 'c', conv_id => $group, msg => "old $n", msg_type => 0 });
}

my %call = (
    page    => [ "/im/conv/$group", '{"page_size":12,"from_id":"b"}' ],
    pair    => [ '/im/from/to', '{"from_id":"a","to_id":"b","page_size":12}' ],
    list    => [ '/im/conv/list', '{"from_id":"a"}' ],
    unread  => [ '/im/unread', '{"from_id":"a"}' ],
    members => [ "/im/group/$group/list", '{}', 'User: a' ],
    get     => [ '/im/user/get', '{"ids":["a","b","z"]}' ],
    set     => [ '/im/user/set', '{"users":[{"id":"a","name":"n%d"},{"id":"b","img":"i%d"}]}' ],
    read    => [ "/im/conv/$group/read", '{"from_id":"d"}' ],
    create  => [ '/im/creat/group', '{"owner_id":"a","name":"n","conv_id":"new%d","member":["b"]}' ],
    add     => [ '/im/add/group/merber', '{"conv_id":"g","member":["m%d"]}' ],
    alias   => [ '/im/group/g/alias', '{"id":"a","alias":"x%d"}', 'User: a' ],
    gset    => [ '/im/group/g/set', '{"from_id":"a","name":"n%d"}' ],
    leave   => [ '/im/group/g/leave', '{"from_id":"a"}' ],
    remove  => [ '/im/group/g/remove', '{"from_id":"a","member":["h","m%d"]}' ],
    transfer => [ '/im/group/g/transfer', '{"from_id":"a","to_id":"a"}' ],
    dismiss => [ '/im/group/new1/dismiss', '{"from_id":"b"}' ],
    refused => [ '/im/send/msg', '{"from_id":"z","conv_id":"g","msg":"x","msg_type":0}' ],
    bad     => [ '/im/send/msg', '{"from_id":' ],
    unknown => [ '/im/nothing', '{}' ],
    chunked => [ '/im/unread', qq(5\r\n{"fro\r\nd\r\nm_id":"a"  }  \r\n0\r\n\r\n),
                 'Transfer-Encoding: chunked' ],
    send    => [ '/im/send/msg', qq({"from_id":"a","to_id":"b","msg":"m%d $big","msg_type":0,)
                 . '"client_msg_id":"c%d"}' ],
    'group send' => [ '/im/send/msg', '{"from_id":"a","conv_id":"g","msg":"m%d","msg_type":0,'
                 . '"client_msg_id":"c%d"}' ],
);

my $number = 1000;

for my $name (sort keys %call) {
    my ($path, $body, @headers) = @{ $call{$name} };
    my $good = must($path, fill($body, ++$number), @headers)->status;
    my (%got, @wrong, $tries, %where);

    for my $stays (0, 1) {
        for (my $n = 1; $n < 3000; $n++) {
            my $text = fill($body, ++$number);
            $oom->arm($pid, $n, $stays);
            my $r = ask($path, $text, @headers);
            my ($failed, $where) = $oom->disarm($pid);
            last if !$failed;
            $tries++;
            $where{$where}++;

            my $status = !$r ? 'closed' : $r->{hung} ? 'hung' : $r->status;
            $got{$status}++;

            # nginx takes a variable that it has no memory for as an empty one

            my $nobody = $status eq '403' && $r->{body} =~ /im_user is empty/;

            push @wrong, "$n: $status" . (ref $r && $r->{body} ? " $r->{body}" : "")
                if $status !~ /^(?:closed|$good|50[0234])$/ && !$nobody;

            # all that was answered with 200 is there; what was not can be said again
            if ($name =~ /send/ && $status ne 'hung') {
                my $why = stored($path, $text, $status, $number);
                push @wrong, "$n: $status, $why" if $why;
            }

            my ($now) = $t->worker_pids;
            if ($now != $pid) {
                push @wrong, "$n: the worker has died";
                $pid = $now;
            }
        }
    }

    is_deeply(\@wrong, [], sprintf '%s: %d failures in %s; answers %s', $name, $tries,
              join(', ', sort keys %where), join ', ', map { "$_ x $got{$_}" } sort keys %got)
        or $wrong[10] && BAIL_OUT($name);
    cmp_ok($tries // 0, '>=', 2, "$name: allocations have failed");
    is(must($path, fill($body, ++$number), @headers)->status, $good, "$name: and served again");
}

sub fill { my ($text, $n) = @_; return $text =~ s/%d/$n/gr }

sub messages {
    my ($n, $path) = @_;
    my $r = must($path, '{"from_id":"b","to_id":"a","page_size":3}');
    return grep { $_->{msg} =~ /^m$n\b/ } @{ $r->json };
}

sub stored {
    my ($path, $text, $status, $n) = @_;
    my $page = $text =~ /"conv_id":"g"/ ? "/im/conv/$group" : '/im/from/to';
    my $had = messages($n, $page);
    return 'but not stored' if $status eq '200' && $had != 1;
    return "but stored $had times" if $status =~ /^50[03]$/ && $had;

    my $again = must($path, $text);
    return 'sent again: ' . $again->status if $again->status != 200;
    return 'then not there once' if messages($n, $page) != 1;
    my ($row) = grep { $_->{last_msg} =~ /^m$n\b/ } @{ must('/im/conv/list', '{"from_id":"b"}')->json };
    return $row ? '' : 'then not listed';
}


# --- eight at once: no place was lost

$t->signal_redis('STOP');
my @conn = map { $t->connect } 1 .. 9;
for my $n (0 .. 8) {
    my $body = sprintf '{"from_id":"u%d"}', $n / 4;
    $conn[$n]->send("POST /im/unread HTTP/1.1\r\nHost: x\r\nContent-Length: "
                    . length($body) . "\r\n\r\n$body");
}
ok($t->poll(2, sub { grep { $_->readable(0) } @conn }), 'the ninth is refused');
$t->signal_redis('CONT');
my %got;
$got{ $_->read_response->status }++ for @conn;
is_deeply(\%got, { 200 => 8, 503 => 1 }, 'and eight are served');

my ($now) = $t->worker_pids;
is($now, $pid, 'by the same worker');

# what nginx says of each failure; of a worker it could not tell its children of
$t->done(qr/\[(?:emerg|alert|crit)\].*(?:alloc|memalign|memory).*failed|\(12: Cannot allocate memory\)/);
done_testing;
