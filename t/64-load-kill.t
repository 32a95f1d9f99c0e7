# im-import load while the tool, workers of nginx and Redis are killed at any
# time: nothing lost, nothing twice, in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::Import;

my $t = Test::IM->new(workers => 2, conf_im => 'im_import on;',
    redis_args => [qw(--appendonly yes --appendfsync always)])->start;
my $i = Test::Import->new($t);
my $dir = $t->dir;
my $url = $i->url;


# --- killed at any time: the tool, a worker, Redis

{
    my @users = map { "k$_" } 0 .. 9;
    my %want;
    open my $fh, '>', "$dir/kill.jsonl" or die;
    for my $part (0 .. 3) {
        for my $c (0 .. 39) {
            my @n = map { $part * 60 + $_ } 1 .. 60;
            print {$fh} $i->batch("kill$c", [ @users[$c % 10, ($c + 1) % 10] ], @n), "\n";
            push @{ $want{"kill$c"} }, map { "m$_" } @n;
        }
    }
    close $fh;

    my ($runs, %kills) = (0);
    my $end = time + 5;
    while (1) {
        my $pid = $i->start(load => '--url', $url, '--patience', 60, "$dir/kill.jsonl");
        $runs++;
        my @order = rand > 0.5 ? qw(worker redis) : qw(redis worker);
        my $alive = sub { !waitpid($pid, 1) };
        for my $what (@order) {
            sleep 0.05 + rand 0.2;
            last if !$alive->();
            if ($what eq 'redis') { $t->stop_redis('KILL'); $t->start_redis }
            else { my @w = $t->worker_pids; kill KILL => $w[rand @w] if @w }
            $kills{$what}++;
        }
        sleep 0.05 + rand 0.2;
        last if !$alive->();            # done, or it gave up
        kill KILL => $pid;
        waitpid $pid, 0;
        $kills{tool}++;
        last if time > $end;
    }
    is($i->run(load => '--url', $url, "$dir/kill.jsonl"), 0, 'then left alone') or diag($i->out);
    note("$runs runs, kills: ", explain \%kills);
    cmp_ok($kills{tool} // 0, '>', 0, 'the tool was killed');
    cmp_ok($kills{redis} // 0, '>', 0, 'and Redis');

    my %got = map { my $c = $_; ($c => [ $i->walk($c) ]) } keys %want;
    is_deeply(\%got, \%want, 'every message once, in order');
    is_deeply([ map { $t->unread($_) } @users ], [ (0) x 10 ], 'counts');
    is_deeply([ map { scalar grep { $_->{conv_id} =~ /^kill/ } @{ $t->list($_) } } @users ],
              [ (8) x 10 ], 'lists');
    is($i->run(load => '--url', $url, '--again', "$dir/kill.jsonl"), 0, 'all again');
    like($i->out, qr/^0 messages stored, 9600 were there/, 'is skipped');
}


$t->done(qr/exited on signal 9/);
done_testing;
