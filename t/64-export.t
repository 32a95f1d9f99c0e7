# im-import export: what it prints gives the same answers elsewhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;
use Test::Import;

my $t = Test::IM->new(conf_im => 'im_import on; im_reply full;')->start;
my $i = Test::Import->new($t);
my $dir = $t->dir;
my $url = $i->url;


# --- export, import elsewhere, compare

{
    $t->profile('ann', name => 'Ann', img => '/a.png');
    $i->run(map => '--dir', $dir, '--tables', "$Test::Import::DIR/sample/_Conversation.0.jsonl",
            '--pages', "$Test::Import::DIR/sample/messages.json");
    is($i->run(load => '--url', $url, '--dir', $dir), 0, 'conversations under old ids');
    $t->say('u_lan', 'u_mo', 'a new one');
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

    my @users = qw(ann zoe u_mo);
    my @select = map { ('--user', $_) } @users;
    my $before = $t->snapshot;
    is($i->run(export => '--url', $url, @select, '--out', "$dir/export.jsonl"), 0, 'export')
        or diag($i->out);
    is_deeply($t->snapshot, $before, 'nothing is written by it');
    is($i->run(export => '--url', $url, @select, '--out', "$dir/dry.jsonl", '--dry-run'), 0,
       'a dry run');
    ok(!-e "$dir/dry.jsonl", 'writes no file');
    my $t2 = Test::IM->new(conf_im => 'im_import on; im_reply full;')->start;
    my $url2 = 'http://127.0.0.1:' . $t2->port . '/im/';
    is($i->run(load => '--url', $url2, "$dir/export.jsonl"), 0, 'import into an empty store')
        or diag($i->out, slurp("$dir/export.jsonl.refused.jsonl"));

    for my $user (@users) {
        my ($a, $b) = map { $_->list($user) } $t, $t2;
        is_deeply($b, $a, "the list of $user");
        cmp_ok(@$a, '>', 2, 'which has some');
        is($t2->unread($user), $t->unread($user), 'and the total');
    }
    my %seen;
    for my $row (grep { !$seen{ $_->{conv_id} }++ } map { @{ $t->list($_) } } @users) {
        my $c = $row->{conv_id};
        is_deeply($t2->page($c, page_size => 200), $t->page($c, page_size => 200), "the first page of $c");
        is_deeply($t2->page($c, after => '', page_size => 200),
                  $t->page($c, after => '', page_size => 200), 'the last one');
        is_deeply($t2->members($c), $t->members($c), 'the members') if $row->{conv_type};
    }
    is($t2->post('/im/send/msg', { conv_id => $old, from_id => 'zoe', msg => 'x', msg_type => 0 })->code,
       'dismissed', 'the end of a group');
    is($i->run(export => '--url', $url2, @select, '--out', "$dir/export2.jsonl"), 0,
       'exported again');
    is(slurp("$dir/export2.jsonl"), slurp("$dir/export.jsonl"), 'it is the same, byte for byte');
    is($i->run(export => '--url', $url, '--conv', $old), 0, 'one conversation');
    is((grep { /^\{"conv_id"/ } split /\n/, $i->out)[0],
       (grep { /^\{"conv_id":"\Q$old"/ } split /\n/, slurp("$dir/export.jsonl"))[0], 'the same');
    $t2->done;
}


$t->done;
done_testing;
