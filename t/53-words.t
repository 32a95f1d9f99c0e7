# What the log tells of a server that refuses us: its own words, as an error once,
# and no error when it closes what nobody uses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

plain_only('Redis says some of it to who has no TLS');

# A server that says something to each client: before it has read anything, or
# after; then it closes the connection, at once or when the client has.

my @servers;

sub server {
    my ($addr, $text, $read, $wait) = @_;
    my $l = $addr =~ /^unix:(.*)/ ? IO::Socket::UNIX->new(Local => $1, Listen => 128)
          : IO::Socket::INET->new(LocalAddr => $addr, Listen => 128, ReuseAddr => 1);
    $l or die "$addr: $!";
    my $pid = fork // die;
    if (!$pid) {
        $SIG{TERM} = 'DEFAULT';
        while (my $s = $l->accept) {
            sysread $s, my $in, 1 << 20 if $read;
            syswrite $s, $text;
            sysread $s, $in, 1 << 20 if $wait;
            close $s;
        }
        POSIX::_exit(0);
    }
    push @servers, $pid;
}
END { kill TERM => @servers }

my @says = (
    'ERR max number of clients reached',
    'DENIED Redis is running in protected mode because protected mode is enabled',
    'ERR max number of clients + cluster connections reached',
    'NOAUTH no way',
);

my (@stores, @locations, %want);
my $t = Test::IM->new(redis => 0, store => '');
for my $i (0 .. $#says) {
    for my $read (0, 1) {
        for my $wait (0, 1) {
            for my $tcp (0, 1) {
                my $name = "s$i$read$wait$tcp";
                my $addr = $tcp ? '127.0.0.1:' . Test::IM::free_port() : "unix:$t->{dir}/$name.sock";
                server($addr, "-$says[$i]\r\n", $read, $wait);
                push @stores, "im_redis $name { server $addr; connect_timeout " . ms(500) . '; }';
                push @locations, "location /$name/ { im_pass $name; }";
                $want{$name} = $says[$i];
            }
        }
    }
}
$t->{conf_http} = join "\n", @stores;
$t->{conf_server} = join "\n", @locations;
$t->{location} = '';
$t->start;

for my $name (sort keys %want) {
    my $line;
    $t->poll(3, sub { ($line) = grep { /"$name"/ } split /\n/, $t->error_log; $line });
    like($line // '', qr/\[error\][^\n]*"\Q$want{$name}\E/, "$name: $want{$name}");
    like($t->post("/$name/unread", { from_id => 'a' })->status, qr/^503$/, 'its callers are refused');
}
sleep 1.2;
for my $name (sort keys %want) {
    my @lines = grep { /\[error\][^\n]*"$name"/ } split /\n/, $t->error_log;
    cmp_ok(scalar @lines, '<=', 2, "$name: one line, not one an attempt") or diag join "\n", @lines;
}
$t->done;


# --- Redis itself: maxclients, a timeout of idle clients, no ECHO

{
    my $t = Test::IM->new(
        redis_tcp => 1, redis_args => [ '--rename-command', 'ECHO', '' ],
        store => 'server unix:{{dir}}/p.sock;',
        conf_http => 'im_redis tcp { server 127.0.0.1:{{redis_port}}; } im_redis direct { server unix:{{sock}}; }',
        conf_server => 'location /tcp/ { im_pass tcp; } location /direct/ { im_pass direct; }',
    );
    my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
    $t->start;
    my $read = sub { $t->post("/$_[0]/unread", { from_id => 'a' })->status };

    is($read->($_), 200, "without ECHO: $_ is served") for qw(im tcp);
    like($t->error_log, qr/\[warn\][^\n]*refuses ECHO[^\n]*unknown command 'ECHO'/, 'with a warning');

    # as Redis 6 and others say it
    for my $error ('ERR unknown command `ECHO`, with args beginning with: `x`, ',
                   "ERR unsupported command 'echo'", 'NOPERM this user has no permissions to run the echo command') {
        $p->answer("-$error\r\n", 'always', '^echo');
        $p->close;
        ok($t->poll(2, sub { $read->('im') == 200 }), "$error: served");
        $p->pass;
    }
    unlike($t->error_log, qr/too many or too few"/, 'and that is no reply too many');

    my $before = length $t->error_log;
    $p->answer("-ERR I do not like this\r\n", 'always', '^echo');
    $p->close;
    ok($t->poll(3, sub { $read->('im') == 503 }), 'an error that does not name it: not served');
    ok($t->poll(3, sub { substr($t->error_log, $before) =~ /in place of the reply to ECHO: "ERR I do not like this"/ }),
       'as the log tells');
    $p->pass;
    ok($t->poll(3, sub { $read->('im') == 200 }), 'served again');

    $before = length $t->error_log;
    $t->redis(qw(CONFIG SET timeout 1));
    ok($t->poll(6, sub { substr($t->error_log, $before) =~ /"tcp"[^\n]*closed by the server/ }), 'an idle client is closed');
    delete $t->{resp};          # ours is closed, too
    $t->redis(qw(CONFIG SET timeout 0));
    unlike(substr($t->error_log, $before), qr/\[(?:error|warn)\][^\n]*"(?:tcp|store)"/, 'which is no error');
    ok($t->poll(3, sub { $read->($_) == 200 }), "$_ is served") for qw(im tcp);

    $before = length $t->error_log;
    $t->redis(qw(CONFIG SET maxclients 1));
    $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
    ok($t->poll(4, sub { my $log = substr $t->error_log, $before;
                         2 == grep { $log =~ /\[error\][^\n]*"$_"[^\n]*max number of clients reached/ } qw(tcp direct) }),
       'maxclients: in the words of Redis') or diag(substr $t->error_log, $before);
    unlike(substr($t->error_log, $before), qr/\[error\][^\n]*"(?:tcp|direct)": could not[^\n]*: (?:closed by the server|send\(\) failed)[^":]*$/m,
           'and not without');
    $t->redis(qw(CONFIG SET maxclients 1000));
    ok($t->poll(4, sub { $read->($_) == 200 }), "$_ is served again") for qw(im tcp);
    $t->done;
    $p->stop;
}

done_testing;
