# im-import load and export against the module: what was mapped is what the API
# shows, whoever is killed meanwhile; what is exported is the same elsewhere.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;

my $import = "$Test::IM::ROOT/docs/import";
my $json = JSON::PP->new->utf8->canonical;
my $T = 1_795_000_000_000;
my ($out, $status);

my $t = Test::IM->new(workers => 2, conf_im => 'im_import on; im_reply full;',
    conf_server => 'location /off/ { im_pass store; }',
    redis_args => [qw(--appendonly yes --appendfsync always)])->start;
my $dir = $t->dir;
my $url = 'http://127.0.0.1:' . $t->port . '/im/';


# --- the samples

{
    tool(map => '--dir', $dir, '--tables', "$import/sample/_Conversation.0.jsonl",
         '--pages', "$import/sample/messages.json");
    is(tool(load => '--dir', $dir, '--dry-run'), 0, 'a dry run');
    like($out, qr/3 batches with 20 messages of 3 conversations/, 'counts');
    is_deeply($t->redis('KEYS', '*'), [], 'and stores nothing');

    is(tool(load => '--dir', $dir, '--url', $url), 0, 'the samples');
    like($out, qr/^20 messages stored, 0 were there/, 'all of them');
    my @convs = map { $_->{conv_id} } @{ $t->list('u_mo') };
    is_deeply(\@convs, [ map { "6731c2$_" } qw(cf5f0e4b19d8a7c303 b95f0e4b19d8a7c302 a45f0e4b19d8a7c301) ],
              'conversations under their old ids, newest first');
    is($t->unread('u_mo'), 0, 'all is read');
    my $page = $t->page($convs[2]);
    is_deeply([ @{ $page->[0] }{qw(msg_id from_time from_id)} ],
              [ 'M9oPelTDS8atMbKhlrn6Bw', 1794967560000, 'u_lan' ], 'messages, too');
    is_deeply($t->texts($t->pair('u_mo', 'u_lan')), $t->texts($page), 'the pair by its users');

    is(tool(load => '--dir', $dir, '--url', $url), 0, 'again');
    like($out, qr/3 lines done before/, 'the journal is known');
    is(tool(load => '--dir', $dir, '--url', $url, '--again'), 0, 'without the journal');
    like($out, qr/^0 messages stored, 20 were there/, 'nothing is stored twice');
    is($t->say('u_lan', 'u_mo', 'and on')->json->{conv_id}, $convs[2], 'it goes on there');
}


# --- what can be wrong

{
    is(tool(load => '--url', $url =~ s/im/off/r, "$dir/out/batches.jsonl"), 2, 'im_import off');
    like($out, qr/is im_import on\?/, 'is said');
    is(tool(load => '--url', 'http://127.0.0.1:1/', '--patience', 0.1, "$dir/out/batches.jsonl"), 3,
       'nobody there');

    my $g = $t->group('ann', [qw(bob)], name => 'other');
    my $now = $t->say_in('ann', $g, 'live')->json->{msg_time};
    file('bad.jsonl', batch('c1', [qw(a b)], 1, 2), batch('c1', [qw(a b)], 0), batch('c1', [qw(a b)], 3),
         batch('c2', [qw(a b)], 1), '{"call":"user/get","body":{}}', 'x',
         batch($g, [qw(ann bob)], 5), '{"call":"user/set","body":{"users":[{"id":"a","name":"A"}]}}');
    is(tool(load => '--url', $url, "$dir/bad.jsonl"), 1, 'lines that are refused');
    like($out, qr/^3 messages stored.*4 lines refused, 1 held back/ms, 'are counted');
    is_deeply([ sort map { my $r = $json->decode($_); "$r->{line} $r->{code}" }
                split /\n/, slurp("$dir/bad.jsonl.refused.jsonl") ],
              [ '2 import_conflict', '5 bad_line', '6 bad_line', '7 import_conflict' ],
              'and listed');
    is_deeply($t->texts($t->page('c1')), [ 'm2', 'm1' ], 'nothing after a line that was refused');
    is($t->post('/im/user/get', { ids => ['a'] })->json->[0]{name}, 'A', 'other lines go on');

    file('late.jsonl', batch($g, [qw(ann bob)], 5, 6));
    is(tool(load => '--url', $url, '--late', 'send', "$dir/late.jsonl"), 0, '--late send');
    like($out, qr/2 sent as new/, 'says so');
    is_deeply($t->texts($t->page($g)), [qw(m6 m5 live)], 'nothing is lost');
    is($t->unread_in('bob', $g), 1, 'they are new messages');
    tool(load => '--url', $url, '--late', 'send', '--again', "$dir/late.jsonl");
    is(@{ $t->page($g) }, 3, 'and sent once');
}


# --- members that changed between two pulls

{
    file('m1.jsonl', map { batch($_, [qw(a b c)], 1) } qw(m1 m2 m3));
    tool(load => '--url', $url, "$dir/m1.jsonl");
    file('m2.jsonl', map { batch($_, [qw(b c d)], 1, 2) } qw(m1 m2 m3));
    is(tool(load => '--url', $url, "$dir/m2.jsonl"), 1, 'other members are a conflict');
    file('m2.jsonl', batch('m1', [qw(b c d)], 1, 2));
    is(tool(load => '--url', $url, '--members', 'keep', "$dir/m2.jsonl"), 0, '--members keep');
    is_deeply([ map { $_->{id} } @{ $t->members('m1') } ], [qw(a b c)], 'they stay');
    file('m2.jsonl', batch('m2', [qw(b c d)], 1, 2));
    is(tool(load => '--url', $url, '--members', 'follow', "$dir/m2.jsonl"), 0, '--members follow');
    is_deeply([ map { $_->{id} } @{ $t->members('m2') } ], [qw(b c d)], 'they change, and the owner');
    is_deeply($t->texts($t->page($_)), [qw(m2 m1)], 'the messages are there') for qw(m1 m2);
    is($t->unread('d'), 0, 'read');
}


# --- killed at any time: the tool, a worker, Redis

{
    my @users = map { "k$_" } 0 .. 9;
    my %want;
    open my $fh, '>', "$dir/kill.jsonl" or die;
    for my $part (0 .. 3) {
        for my $c (0 .. 79) {
            my @n = map { $part * 60 + $_ } 1 .. 60;
            print {$fh} batch("kill$c", [ @users[$c % 10, ($c + 1) % 10] ], @n), "\n";
            push @{ $want{"kill$c"} }, map { "m$_" } @n;
        }
    }
    close $fh;

    my ($runs, %kills) = (0);
    my $end = time + 8;
    while (1) {
        my $pid = start(load => '--url', $url, '--patience', 60, "$dir/kill.jsonl");
        $runs++;
        my @order = sort { rand() <=> 0.5 } qw(worker redis);
        my $alive = sub { !waitpid($pid, 1) };
        for my $what (@order) {
            sleep 0.05 + rand 0.2;
            last if !$alive->();
            if ($what eq 'redis') { $t->stop_redis('KILL'); $t->start_redis }
            else { my @w = $t->worker_pids; kill KILL => $w[rand @w] if @w }
            $kills{$what}++;
        }
        sleep 0.05 + rand 0.2;
        last if time > $end || !$alive->() && $? == 0;
        kill KILL => $pid and $kills{tool}++;
        waitpid $pid, 0;
    }
    is(tool(load => '--url', $url, "$dir/kill.jsonl"), 0, 'then left alone') or diag($out);
    note("$runs runs, kills: ", explain \%kills);
    cmp_ok($kills{tool} // 0, '>', 0, 'the tool was killed');
    cmp_ok($kills{redis} // 0, '>', 0, 'and Redis');

    my %got = map { my $c = $_; ($c => [ walk($c) ]) } keys %want;
    is_deeply(\%got, \%want, 'every message once, in order');
    is_deeply([ map { $t->unread($_) } @users ], [ (0) x 10 ], 'counts');
    is_deeply([ map { scalar grep { $_->{conv_id} =~ /^kill/ } @{ $t->list($_) } } @users ],
              [ (16) x 10 ], 'lists');
    is(tool(load => '--url', $url, '--again', "$dir/kill.jsonl"), 0, 'all again');
    like($out, qr/^0 messages stored, 19200 were there/, 'is skipped');
}


# --- export, import elsewhere, compare

{
    $t->profile('ann', name => 'Ann', img => '/a.png');
    $t->say('ann', 'zoe', "hi \x{1f600}\n\"");
    my $id = $t->say('zoe', 'ann', 'to be recalled')->msg_id;
    $t->say('zoe', 'ann', "n$_", msg_type => 1) for 1 .. 450;
    $t->recall('zoe', $t->list('zoe')->[0]{conv_id}, $id);
    my $old = $t->group('ann', [qw(bob zoe)], name => 'dismissed', img => '/g', description => 'd');
    $t->say_in('bob', $old, "t$_") for 1 .. 3;
    $t->call("/im/group/$old/alias", { id => 'bob', alias => 'Bobby' });
    $t->call("/im/group/$old/transfer", { from_id => 'ann', to_id => 'zoe' });
    $t->call("/im/group/$old/dismiss", { from_id => 'zoe' });
    my $empty = $t->group('ann', [qw(zoe)], name => 'empty');

    is(tool(export => '--url', $url, '--user', 'ann', '--user', 'zoe', '--user', 'u_mo',
            '--out', "$dir/export.jsonl"), 0, 'export') or diag($out);
    my $before = $t->redis('DBSIZE');
    my $t2 = Test::IM->new(conf_im => 'im_import on; im_reply full;')->start;
    my $url2 = 'http://127.0.0.1:' . $t2->port . '/im/';
    is(tool(load => '--url', $url2, "$dir/export.jsonl"), 0, 'import into an empty store')
        or diag($out, slurp("$dir/export.jsonl.refused.jsonl"));

    for my $user (qw(ann zoe u_mo)) {
        my ($a, $b) = map { $_->list($user) } $t, $t2;
        is_deeply($b, $a, "the list of $user");
        cmp_ok(@$a, '>', 2, 'which has some');
        is($t2->unread($user), $t->unread($user), 'and the total');
    }
    my %seen;
    for my $row (grep { !$seen{ $_->{conv_id} }++ } map { @{ $t->list($_) } } qw(ann zoe u_mo)) {
        my $c = $row->{conv_id};
        is_deeply($t2->page($c, page_size => 200), $t->page($c, page_size => 200), "the first page of $c");
        is_deeply($t2->page($c, after => '', page_size => 200),
                  $t->page($c, after => '', page_size => 200), 'the last one');
        is_deeply($t2->members($c), $t->members($c), 'the members') if $row->{conv_type};
    }
    is($t2->post('/im/send/msg', { conv_id => $old, from_id => 'zoe', msg => 'x', msg_type => 0 })->code,
       'dismissed', 'the end of a group');
    is($t->redis('DBSIZE'), $before, 'nothing was written by it');
    is(tool(export => '--url', $url2, '--user', 'ann', '--user', 'zoe', '--user', 'u_mo',
            '--out', "$dir/export2.jsonl"), 0, 'exported again');
    is(slurp("$dir/export2.jsonl"), slurp("$dir/export.jsonl"), 'it is the same, byte for byte');
    is(tool(export => '--url', $url, '--conv', $old), 0, 'one conversation');
    is((grep { /^\{"conv_id"/ } split /\n/, $out)[0],
       (grep { /^\{"conv_id":"\Q$old"/ } split /\n/, slurp("$dir/export.jsonl"))[0], 'the same');
    $t2->done;
}


# --- the example for SQL tables

SKIP: {
    skip 'no sqlite3', 6 if !grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};
    system("sqlite3 $dir/chat.db < $import/example-data.sql"
           . " && sqlite3 $dir/chat.db < $import/example.sql > $dir/sql.jsonl");
    is($?, 0, 'example.sql');
    is(tool(load => '--dry-run', "$dir/sql.jsonl"), 0, 'its lines are batches') or diag($out);
    is(tool(load => '--url', $url, "$dir/sql.jsonl"), 0, 'and are loaded') or diag($out);
    is_deeply([ walk('r2') ], [ "two\nlines", map { "message $_" } 1 .. 2500 ], 'in order');
    is_deeply($t->texts($t->pair('u1', 'u2')), [ 'hello "Ann"', '/picture.jpg' ], 'a 1:1');
    is_deeply([ map { "$_->{id} $_->{name}" } @{ $t->members('r2') } ], [ 'u2 Bob', 'u3 ', 'u1 Ann' ],
              'members and names');
}

$t->done(qr/exited on signal 9/);
done_testing;


sub batch {
    my ($conv, $users, @n) = @_;
    return $json->encode({ conv_id => $conv, conv_type => 1, conv_users => $users,
        name => 'n', messages => [ map { { msg_id => "$conv/$_", msg_type => 0, msg => "m$_",
            from_id => $users->[$_ % @$users], from_time => $T + $_ } } @n ] });
}


sub file {
    my ($name, @lines) = @_;
    $t->write_file($name, join '', map { "$_\n" } @lines);
}


# all texts, from the oldest
sub walk {
    my ($conv) = @_;
    my ($after, @all) = ('');
    while (1) {
        my $page = $t->page($conv, after => $after, page_size => 200);
        return @all if !@$page;
        push @all, map { $_->{msg} } reverse @$page;
        $after = $page->[0]{msg_id};
    }
}


sub start {
    my (@args) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    setpgrp;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    open STDOUT, '>', "$dir/tool.out";
    open STDERR, '>&', \*STDOUT;
    exec "$import/im-import", @args or POSIX::_exit(127);
}


sub tool {
    my $pid = start(@_);
    waitpid $pid, 0;
    $out = slurp("$dir/tool.out");
    diag($out) if $out =~ / at \S+ line \d/;
    return $status = $? >> 8;
}
