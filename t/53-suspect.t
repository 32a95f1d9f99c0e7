# A reply or a command that breaks the connection to Redis costs the call that it
# belongs to, not those of others on that connection.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

my $scale = $Test::IM::SCALE;
my $t = Test::IM->new(
    store => 'server unix:{{dir}}/p.sock; timeout ' . ms(2000) . ';',
    conf_http => <<'CONF',
    im_cache off;
    im_redis direct { server unix:{{sock}}; }
    im_redis patient { server unix:{{dir}}/p.sock; timeout 30s; }
    im_redis fake { server unix:{{dir}}/fake.sock; timeout 500ms; }
CONF
    conf_server => <<'CONF',
        location /direct/ { im_pass direct; }
        location /patient/ { im_pass patient; }
        location /fake/ { im_pass fake; }
CONF
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;

my $big = $t->call('/direct/creat/group', { owner_id => 'hog', name => 'big' })->conv_id;
my $small = $t->call('/direct/creat/group', { owner_id => 'ann', name => 'small' })->conv_id;
sub say_direct { $t->call('/direct/send/msg', { from_id => $_[0], conv_id => $_[1], msg => $_[2], msg_type => 0 }) }
say_direct(hog => $big, "$_ " . 'x' x 4000) for 1 .. 200;
say_direct(ann => $small, 'hello');

sub errors { my $log = substr $t->error_log, $_[0]; return () = $log =~ /\[(?:error|warn|crit|alert)\]/g }

# lists of requests, each again and again over a connection of its own: codes
# by the name of the list, and the times of each
sub load {
    my ($seconds, %want) = @_;
    my (%conn, %got, %ms);
    my $select = IO::Select->new;
    for my $name (keys %want) {
        for my $bytes (@{ $want{$name} }) {
            my $c = $t->connect;
            $conn{ $c->{sock} } = [ $c, $name, $bytes, time ];
            $select->add($c->{sock});
            $c->send($bytes);
        }
    }
    my $end = time + $seconds;
    my $open = keys %conn;
    while ($open) {
        my @can = $select->can_read(30 * $scale) or last;
        for my $s (@can) {
            my ($c, $name, $bytes, $since) = @{ $conn{$s} };
            my $r = $c->read_response;
            $got{$name}{ $r->status == 200 ? 200 : $r->code }++;
            push @{ $ms{$name} }, 1000 * (time - $since);
            if (time < $end) {
                $conn{$s}[3] = time;
                $c->send($bytes);
            } else {
                $select->remove($s);
                $open--;
            }
        }
    }
    $_ = [ sort { $a <=> $b } @$_ ] for values %ms;
    return (\%got, \%ms);
}

my @neighbours = map { bytes("/im/conv/$small", { page_size => 1 + $_ }) } 1 .. 4;
my @sends = map { bytes('/im/send/msg', body("s$_", 'x', 'm', client_msg_id => 'k')) } 1 .. 3;
my $hog = bytes("/im/conv/$big", { page_size => 200 });

# a page of so many rows is fetched by a script, or plainly
my $page = '(?:zrevrange|evalsha \w+ 1)';


# --- Redis gives up a client for whom it would have to keep too much

{
    $t->redis(qw(CONFIG SET client-output-buffer-limit), 'normal 256kb 0 0');
    my $before = length $t->error_log;
    my $had = $p->stat->{accepted};
    my $t0 = time;
    my ($got, $ms) = load(3, hog => [ ($hog) x 4 ], page => \@neighbours, send => \@sends);
    my $s = time - $t0;
    my $n = $p->stat->{accepted} - $had;
    is_deeply([ keys %{ $got->{page} } ], [ 200 ], 'neighbours are served') or diag explain $got;
    is_deeply([ keys %{ $got->{send} } ], [ 200 ], 'and their sends') or diag explain $got;
    is_deeply([ grep { !/^store_(?:error|unavailable|timeout)$/ } keys %{ $got->{hog} } ], [], 'he is told so');
    ok($got->{hog}{store_error}, 'his own 502') or diag explain $got;
    my $pages = $ms->{page};
    cmp_ok($pages->[@$pages * 0.99], '<', 60 * $scale, sprintf 'pages: %d, p50 %.1f p99 %.1f max %.1f ms, %d connects',
           scalar @$pages, @$pages[ @$pages * 0.5, @$pages * 0.99, -1 ], $n);
    diag sprintf 'pages: %d, p50 %.1f p99 %.1f max %.1f ms, %d connects', scalar @$pages,
        @$pages[ @$pages * 0.5, @$pages * 0.99, -1 ], $n if $ENV{IM_DEBUG};
    my $errors = errors($before);
    cmp_ok($errors, '<=', 4 * ($s + 2), "$errors lines in the log");
    like(substr($t->error_log, $before), qr/lost the connection to [^\n]* \(\d+ in a second\)/, 'with a count');
    $t->redis(qw(CONFIG SET client-output-buffer-limit), 'normal 0 0 0');
    my $r;
    ok($t->poll(3, sub { $r = $t->post("/im/conv/$big", { page_size => 200 }); $r->status == 200 }),
       'the same page, when Redis can send it') or diag($r->body);
}


# --- one command at which every connection breaks, in whatever way

for my $how ([ cut => reply => 0 ], [ cut => reply => 700 ], [ rst => reply => 10 ], [ cut => command => 5 ],
             [ answer => "!what\r\n" ], [ extra => "+more\r\n" ]) {
    my ($order, @arg) = @$how;
    sleep 0.1;
    $p->$order(@arg, 'always', "^$page im:.c:$big");
    my ($got) = load(0.7, hog => [ ($hog) x 2 ], page => \@neighbours, send => \@sends);
    my $name = join(' ', @$how) =~ s/\r\n//r;
    is_deeply([ keys %{ $got->{page} } ], [ 200 ], "$name: neighbours are served") or diag explain $got;
    is_deeply([ keys %{ $got->{send} } ], [ 200 ], 'and their sends') or diag explain $got;
    ok($got->{hog}{store_error}, 'his own 502') or diag explain $got;
    is_deeply([ grep { !/^store_/ } keys %{ $got->{hog} } ], [], 'and no other') or diag explain $got;
    $p->pass;
}

# a write that must not be done twice breaks it: others are hit once, not always
{
    my $group = $t->call('/direct/creat/group', { owner_id => 'hog', name => 'w' })->conv_id;
    $p->cut('reply', 0, 'always', "^evalsha .*\\b$group");
    my $write = bytes('/im/send/msg', { from_id => 'hog', conv_id => $group, msg => 'x', msg_type => 0 });
    my @plain = map { bytes('/im/send/msg', body("p$_", 'x', 'm')) } 1 .. 4;
    my ($got) = load(2, hog => [ ($write) x 2 ], send => \@plain);
    is_deeply([ keys %{ $got->{hog} } ], [ 'outcome_unknown' ], 'a send at which it breaks') or diag explain $got;
    my $lost = $got->{send}{outcome_unknown} || 0;
    cmp_ok($lost, '<=', 4, "$lost sends of others are lost with it, of $got->{send}{200}");
    cmp_ok($got->{send}{200}, '>', 20, 'the others are stored');
    $p->pass;
}

# the client of the broken command is gone: no reason to go on
{
    $p->cut('reply', 0, 'always', "^$page im:.c:$big");
    my $pid = fork // die;
    if (!$pid) {
        for (1 .. 100) { my $c = $t->connect; $c->send($hog); sleep 0.01 }
        POSIX::_exit(0);
    }
    my ($got) = load(1, page => \@neighbours, send => \@sends);
    waitpid $pid, 0;
    is_deeply([ keys %{ $got->{page} } ], [ 200 ], 'clients that do not wait: neighbours are served')
        or diag explain $got;
    is_deeply([ keys %{ $got->{send} } ], [ 200 ], 'and their sends') or diag explain $got;
    $p->pass;
}


# --- a reply that is too much is no reason to break the connection

sub too_much {
    my ($name, $body) = @_;
    my @others = map { [ map { s{/im/}{/patient/}r } @$_ ] } \@neighbours, \@sends;
    $t->call("/patient/conv/$small", {});
    my $had = $p->stat->{accepted};
    my ($got) = load(0.3, hog => [ bytes("/patient/conv/$big", $body) ],
                     page => $others[0], send => $others[1]);
    is_deeply([ map { sort keys %{ $got->{$_} } } qw(hog page send) ], [ 'store_error', 200, 200 ],
              "$name: his own 502") or diag explain $got;
    is($p->stat->{accepted}, $had, 'over the same connection');
}

for my $row ([ 'seventy thousand elements', "*70000\r\n" . "\$1\r\nx\r\n" x 70000 ],
             [ 'as many, nested', "*1\r\n*70000\r\n" . "*-1\r\n" x 70000 ]) {
    my ($name, $reply) = @$row;
    $p->replace($reply, 'always', "^$page im:.c:$big");
    too_much($name, {});
    $p->pass;
}

my $key = "im:{c:$big}:m";
my $row = $t->redis(ZREVRANGE => $key, 0, 0)->[0];
for my $case ([ 'a string of 9 MB', 9e6, 1 ], [ 'two of them', 9e6, 2 ], [ '72 MB of strings', 6e6, 12 ]) {
    my ($name, $size, $n) = @$case;
    $t->redis(ZADD => $key, 1e6 + $_, "$_$row" . 'y' x $size) for 1 .. $n;
    too_much($name, { page_size => $n });
    $t->redis(ZREMRANGEBYSCORE => $key, 1e6, '+inf');
}
ok($t->call("/patient/conv/$big", {}), 'and all is well again');


# --- a server that closes the connection after the setup: not for ever at once

{
    my ($pid, $count) = fake();
    my $before = length $t->error_log;
    my %got;
    my $t0 = time;
    while (time - $t0 < 2) {
        my $r = $t->post('/fake/unread', { from_id => 'a' . int rand 1000 });
        $got{ $r->code }++;
    }
    my $s = time - $t0;
    kill TERM => $pid;
    waitpid $pid, 0;
    my $n = sysread $count, my $dots, 100000;
    cmp_ok($n, '<=', 8 * $s + 8, sprintf '%d connects in %.1f s', $n, $s);
    cmp_ok($n, '>=', 2, 'but it is tried');
    my $errors = () = substr($t->error_log, $before) =~ /\[error\][^\n]*store "fake"/g;
    cmp_ok($errors, '<=', 2 * $s + 4, "$errors error lines");
    is_deeply([ grep { !/^store_/ } keys %got ], [], 'the callers are refused') or diag explain \%got;
}

# accepts, answers the setup and closes; a dot in the pipe for each connection
sub fake {
    my $l = IO::Socket::UNIX->new(Local => "$t->{dir}/fake.sock", Listen => 128) or die $!;
    pipe my $r, my $w or die;
    my $pid = fork // die;
    return ($pid, $r) if $pid;
    $SIG{TERM} = 'DEFAULT';
    while (my $s = $l->accept) {
        syswrite $w, '.';
        my ($in, $word) = ('');
        while (!defined $word && sysread $s, $in, 65536, length $in) {
            ($word) = $in =~ /ECHO\r\n\$16\r\n(\w{16})\r\n/;
        }
        my $n = () = $in =~ /\$6\r\nSCRIPT\r\n|\$4\r\nINFO\r\n|\$6\r\nCONFIG\r\n/g;
        syswrite $s, "+OK\r\n" x $n . "\$16\r\n" . ($word // '') . "\r\n";
        close $s;
    }
    POSIX::_exit(0);
}

# --- settings under which no reply could be received are refused at nginx -t

for my $row ([ 'im_max_body_size 1m; im_max_message_size 1m;', qr/"im_page_size_max"/ ],
             [ 'im_max_body_size 1m; im_max_message_size 64k;', qr/"im_page_size_max"/ ],
             [ 'im_page_size_max 400;', qr/"im_page_size_max"/ ],
             [ 'im_list_max 40000;', qr/"im_list_max"/ ],
             [ 'im_group_max_members 40000;', qr/"im_group_max_members"/ ],
             [ 'im_max_body_size 1m;' ], [ 'im_max_body_size 1m; im_max_message_size 1m; im_page_size_max 10;' ],
             [ 'im_page_size_max 300;' ], [ 'im_list_max 10000; im_group_max_members 10000;' ]) {
    my ($conf, $want) = @$row;
    my $out = $t->conf_fails(conf_im => $conf);
    $want ? like($out // '', $want, "$conf: refused") : is($out, undef, "$conf: accepted");
}

$t->done(qr/./);
$p->stop;
done_testing;
