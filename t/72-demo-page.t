# What "make run" serves at /: the page of docs/demo in Chromium, two users in
# two windows, see t/demo/page.mjs.  Debian's chromium, and playwright-core from
# npm, which is kept outside the tree.
#
# IM_SCREENSHOT=docs/demo/page.png makes the picture of the README, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Test::IM;
use Test::IM::Node;
use Time::HiRes qw(sleep);

my $root = $Test::IM::ROOT;
my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
my $why = Test::IM::Node::missing()
          || ($chromium ? undef : 'no chromium') || playwright();

if ($why) {
    die "$why\n" if ($ENV{CI} // '') eq 'true';
    plan skip_all => $why;
}

my $port = Test::IM::free_port();
my ($run, $dir, $out) = start();
my $stream = slurp("$root/t/tools/run") =~ /^\s*im_stream /m ? 1 : 0;
my $picture = $ENV{IM_SCREENSHOT};

Test::IM::Node::run('page.mjs', 300,
    [ playwright_dir(), $chromium, "http://127.0.0.1:$port", $stream,
      $picture ? $picture : () ], reload => \&reload, cut => \&cut, hang => \&hang);

if ($picture) {
    cmp_ok(-s $picture, '<', 150_000, 'a small picture');
}

my @bad = grep { /\[(?:alert|emerg|crit)\]/ } split /\n/, slurp("$dir/error.log");
is_deeply(\@bad, [], 'nothing above error in the error log');

stop();
ok(!-e $dir, 'and leaves nothing behind');

done_testing;

END {
    my $rc = $?;
    stop();
    $? = $rc;
}


# "make run" without apt; its pid, and its directory

sub start {
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        $ENV{PORT} = $port;
        exec "$root/t/tools/run" or POSIX::_exit(127);
    }

    my ($where) = map { /logs in (\S+)/ } scalar <$out>;
    ok($where, 'make run serves') or BAIL_OUT('make run does not start');

    return ($pid, "$root/$where", $out);
}


sub stop {
    my $pid = $run or return;
    undef $run;
    kill TERM => $pid;
    wait_for(20 * $Test::IM::SCALE, sub { waitpid($pid, POSIX::WNOHANG()) })
        or diag('make run does not end');
}


# old workers stay as long as they have streams

sub reload {
    my ($master) = slurp("$dir/nginx.pid") =~ /(\d+)/;
    my $workers = sub { split ' ', slurp("/proc/$master/task/$master/children") };
    my %old = map { $_ => 1 } $workers->();
    kill HUP => $master;
    ok(wait_for(20 * $Test::IM::SCALE, sub { grep { !$old{$_} } $workers->() }), 'reloaded');
}


# the connections on which workers read events

sub cut {
    my $redis = IO::Socket::UNIX->new(Peer => "$dir/redis.sock") or return fail("redis: $!");
    print {$redis} "CLIENT KILL TYPE pubsub\r\n";
    like(scalar <$redis>, qr/^:\d/, 'streams are cut off from Redis');
}


# longer than a call waits: what was sent may be stored, or not

sub hang {
    my ($redis) = grep { slurp("/proc/$_/cmdline") =~ m{ unixsocket:\Q$dir\E/} }
                  split ' ', slurp("/proc/$run/task/$run/children");
    kill STOP => $redis or return fail("no redis: $!");
    sleep 4;
    ok(kill(CONT => $redis), 'Redis hangs for a while');
}


sub playwright_dir {
    my $cache = ($ENV{XDG_CACHE_HOME} || '/tmp') . "/im-demo-npm-$>";
    return "$cache/node_modules/playwright-core";
}


# nothing if it is there, else why not

sub playwright {
    my ($cache) = playwright_dir() =~ m{(.*)/node_modules};
    return if -e "$cache/complete";

    make_path($cache, { mode => 0700 });
    return "$cache is not ours" if !-O $cache;

    open my $fh, '>', "$cache/package.json" or return "$cache: $!";
    print {$fh} "{\"private\":true}\n";
    close $fh;

    my $out;
    for my $try (1 .. 3) {
        $out = qx(cd '$cache' && timeout 120 npm install --no-audit --no-fund \\
                  --loglevel=error playwright-core\@1 2>&1 </dev/null);
        last if !$?;
        return "npm install playwright-core: $out" if $try == 3;
        sleep 5;
    }

    open $fh, '>', "$cache/complete" or return "$cache: $!";
    return;
}
