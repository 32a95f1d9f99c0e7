# The disk of Redis is full.  With `appendfsync always` Redis ends rather than
# answer for what it could not write; with `everysec` it refuses writes until it
# can write again.  Either way nothing that was acknowledged is lost, callers are
# told as ever, and are served again as soon as there is room.
#
# The disk is a small file system in memory the one time, where that may be
# mounted, and a limit on the size of the files that Redis writes the other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use History;
use Test::IM;

my $FULL = 160 * 1024;

my %disk = (
    'a file system' => {
        make => sub {
            my $dir = shift;
            return system("mount -t tmpfs -o size=${\ ($FULL / 1024)}k,mode=700 im-test $dir 2>/dev/null") == 0;
        },
        enlarge => sub { system("mount -o remount,size=64m $_[0]") == 0 },
        remove => sub { system("umount -l $_[0] 2>/dev/null") },
    },
    'a limit' => {
        make => sub { system('command -v prlimit >/dev/null') == 0 },
        limit => $FULL,
        enlarge => sub {
            my ($dir, $pid) = @_;
            return !$pid || system("prlimit --fsize=unlimited --pid $pid") == 0;
        },
        remove => sub { },
    },
);

my @mounted;        # by this process, to be unmounted whatever happens
my $self = $$;

END {
    my $rc = $?;
    if ($$ == $self) { $disk{'a file system'}{remove}->($_) for @mounted }
    $? = $rc;
}


full('always', 'a file system', 'a limit');
full('everysec', 'a limit');
done_testing;


sub full {
    my ($fsync, @how) = @_;
    my $t = Test::IM->new(one => 'it fills the disk of one', workers => 2, conf_im => 'im_reply full;',
                          store => 'server unix:{{sock}}; timeout 1s;');
    my $dir = $t->dir . '/disk';
    mkdir $dir or die "$dir: $!";

    my ($how) = grep { $disk{$_}{make}->($dir) } @how;
    if (!$how) {
        fail("$fsync: mount or prlimit") if $ENV{CI};
        SKIP: { skip "$fsync: neither mount nor prlimit", 1 if !$ENV{CI} }
        return $t->cleanup;
    }
    my $disk = $disk{$how};
    push @mounted, $dir;
    note "$fsync, $how";

    $t->{redis_args} = [ '--dir', $dir, qw(--appendonly yes --appendfsync), $fsync,
                         qw(--auto-aof-rewrite-percentage 0 --aof-load-truncated yes) ];
    limited($disk->{limit}, sub { $t->start });
    my $h = History->new(t => $t, writers => 3, readers => 1, pace => 0.002)->setup->start;

    # until it is full: no more acknowledgements
    my $pid = $t->{redis_pid};
    my $full = $t->poll(8, sub {
        return !$t->running($pid) if $fsync eq 'always';
        return info($t) =~ /aof_last_write_status:err/;
    });
    ok($full, $fsync eq 'always' ? 'Redis has ended' : 'Redis cannot write') or diag(redis_log($t));

    my $acked = $h->acked;
    cmp_ok($acked, '>', 50, "after $acked messages");
    sleep 0.2;      # what was on its way
    $acked = $h->acked;
    sleep 0.3;
    is($h->acked, $acked, 'nothing is acknowledged while it is full');

    my %body = (from_id => 'ann', to_id => 'bob', msg => 'full', msg_type => 0);
    for (1 .. 3) {
        my $r = $t->post('/im/send/msg', { %body });
        is($r->code, 'store_unavailable', 'a send: store_unavailable') or diag($r->status . ' ' . $r->body);
        is($r->status, 503, 'with 503');
        like($r->header('Retry-After') // '', qr/^[1-9]\d*$/, 'and Retry-After');
    }
    my $r = $t->post('/im/unread', { from_id => 'w1' });
    is($r->status, $fsync eq 'always' ? 503 : 200, 'a read: ' . $r->status);
    is($t->get('/site')->status, 200, 'the site is served');
    my $why = $fsync eq 'always' ? 'no connection' : 'MISCONF|refused the command';
    like($t->error_log, qr/\[error\][^\n]*(?:$why)/, 'the log says why');

    # room
    ok($disk->{enlarge}->($dir, $fsync eq 'always' ? 0 : $pid), 'room is made');
    if ($fsync eq 'always') {
        delete $t->{redis_pid};
        unlink $t->sock;
        $t->start_redis;
    }
    my $t0 = time;
    ok($t->poll(5, sub { $h->acked > $acked + 100 }), sprintf 'served again after %.1f s', time - $t0);

    $r = $h->stop->check;
    is(History::summary($r), '', 'nothing is lost') or diag explain $r->{notes};
    cmp_ok($r->{refused} + $r->{unknown}, '>', 0,
           "$r->{acked} acknowledged, $r->{refused} refused, $r->{unknown} unknown");
    is($t->post('/im/from/to', { from_id => 'ann', to_id => 'bob' })->body, '[]',
       'what was refused is not there');

    # and what is there now is there after a death, too
    if ($fsync eq 'always') {
        $t->stop_redis('KILL');
        $t->start_redis;
        ok($t->poll(3, sub { $t->post('/im/unread', { from_id => 'w1' })->status == 200 }), 'killed, started');
        is(History::summary($h->check), '', 'nothing is lost by that');
    }

    $t->stop_redis('KILL');
    $disk->{remove}->($dir);
    $t->done;
}


# Redis is started with this limit, of which SIGXFSZ would tell it

sub limited {
    my ($limit, $cb) = @_;
    return $cb->() if !$limit;

    no warnings 'redefine';
    my $spawn = \&Test::IM::spawn;
    local *Test::IM::spawn = sub {
        my ($self, $out, @cmd) = @_;
        @cmd = ('sh', '-c', 'trap "" XFSZ; exec prlimit --fsize=' . $limit . ': "$@"', 'sh', @cmd)
            if $cmd[0] eq $Test::IM::REDIS;
        return $spawn->($self, $out, @cmd);
    };
    return $cb->();
}


sub info { my $t = shift; return eval { $t->redis(qw(INFO persistence)) } // '' }

sub redis_log { my $t = shift; return substr slurp($t->dir . '/redis.out'), -2000 }
